/** The data sets that another tool's file names -> the one source here, and what of them it cannot say. */
import { words } from '../../dsl/problems/problem.ts'
import type { Json, JsonObject } from '../../dsl/stage-signature.ts'
import type { Leave, Surroundings } from './convert.ts'

export interface DataSet {
  readonly from: string
  /** Where the fields of a row have names of their own. */
  readonly schema: { readonly input: string; readonly output: string } | null
}

const ONE_FILE = words('data is one path or pattern', 'data 是一个路径或通配符')
const JOIN = words(
  'put the files into one folder: data: data/*.jsonl',
  '把文件放进一个文件夹：data: data/*.jsonl',
)
const NOT_HERE = words('data is not downloaded', '数据不会自动下载')
const BRING = words('put its rows there, one JSON object a line', '把数据放到那里，每行一个 JSON 对象')
const ROWS = words(
  'how a row reads is said by the schema of the source and the template of tokenize',
  '一行怎么读，由来源的 schema 和 tokenize 的 template 决定',
)
const SCHEMA = words(
  'sources: { data: { …, schema: { input: question, output: answer } } }; sluice explain tokenize',
  'sources: { data: { …, schema: { input: question, output: answer } } }；sluice explain tokenize',
)

/** The first data set; what else there is, or where it has to come from, is said. */
export function dataIn(settings: JsonObject, around: Surroundings, leave: Leave): DataSet {
  const key = settings['datasets'] === undefined ? 'dataset' : 'datasets'
  const [first, ...others] = named(settings)
  if (first === undefined) {
    leave(key, words('it names no data', '没有写数据'), BRING)
    return { from: 'data/rows.jsonl', schema: null }
  }
  if (others.length > 0) leave(key, ONE_FILE, JOIN, others.map(({ path }) => path).join(', '))
  return { from: fileIn(first.path, key, around, leave), schema: schemaIn(first.more, leave) }
}

interface Named {
  readonly path: string
  /** What else is said of it. */
  readonly more: JsonObject
}

function named({ datasets, dataset }: JsonObject): readonly Named[] {
  if (Array.isArray(datasets))
    return datasets.flatMap((each: Json) => {
      if (typeof each === 'string') return [{ path: each, more: {} }]
      if (typeof each !== 'object' || each === null) return []
      const { path, ...more } = each as JsonObject
      return typeof path === 'string' ? [{ path, more }] : []
    })
  if (typeof dataset !== 'string') return []
  return dataset.split(',').map((each) => ({ path: each.trim(), more: {} }))
}

/** Forms of rows whose fields are found without a word. */
const FOUND = /^alpaca(_chat\.load_qa)?$/

/** The names of the fields, where they are named; all else that is said of the rows is left. */
function schemaIn(more: JsonObject, leave: Leave): DataSet['schema'] {
  const { type = null, ...others } = more
  for (const [key, value] of Object.entries(others)) leave(`datasets.${key}`, ROWS, SCHEMA, value)
  if (typeof type === 'object' && type !== null && !Array.isArray(type)) {
    const { field_instruction: input, field_output: output, ...rest } = type as JsonObject
    const isNamed = typeof input === 'string' && typeof output === 'string'
    const left = isNamed ? rest : (type as JsonObject)
    for (const [key, value] of Object.entries(left)) leave(`datasets.type.${key}`, ROWS, SCHEMA, value)
    return isNamed ? { input, output } : null
  }
  if (type !== null && !(typeof type === 'string' && FOUND.test(type)))
    leave('datasets.type', ROWS, SCHEMA, type)
  return null
}

function fileIn(dataset: string, key: string, around: Surroundings, leave: Leave): string {
  const path = around.fileOf(dataset) ?? dataset
  const file =
    /\.jsonl?$/.test(path) || around.isThere(path) ? path : `data/${path.split('/').at(-1) ?? path}.jsonl`
  if (!around.isThere(file))
    leave(key, NOT_HERE, words(`${BRING.en}: ${file}`, `${BRING.zh}：${file}`), dataset)
  else if (file.endsWith('.json')) {
    const lines = file.replace(/json$/, 'jsonl')
    leave(
      key,
      words('a list in one JSON document is not read', '不读单个 JSON 文档里的列表'),
      words(
        `one object a line: jq -c '.[]' ${file} > ${lines}`,
        `每行一个对象：jq -c '.[]' ${file} > ${lines}`,
      ),
      dataset,
    )
    return lines
  }
  return file
}
