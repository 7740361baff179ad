/** Is what a plugin exports a list of stage kinds and a worker? The first thing that is not right is said with its path. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { schemaFault } from '../../dsl/check-shape.ts'
import { badExport } from '../../dsl/problems/plugins.ts'
import type { PluginFault } from '../../dsl/problems/plugins.ts'
import { words } from '../../dsl/problems/problem.ts'
import { isPortName, isSlug, RESERVED } from '../../dsl/slug.ts'
import { ARTIFACT_TYPES } from '../../dsl/stage-signature.ts'
import type { JsonObject } from '../../dsl/stage-signature.ts'
import type { Words } from '../../dsl/words.ts'
import type { StageKind } from '../../engine/stage-kind.ts'

export interface PluginModule {
  readonly stageKinds: readonly StageKind[]
  readonly worker: PluginWorker | null
}

export interface PluginWorker {
  /** A module whose named exports are the ops, relative to the plugin's folder. */
  readonly ops?: string
  /** A command that speaks the protocol on its standard input and output, started in the plugin's folder. */
  readonly command?: readonly string[]
  /** How many of it may run at once. */
  readonly slots?: number
}

type Fields = Readonly<Record<string, unknown>>
type Rule = readonly [field: string, holds: (value: unknown) => boolean, wanted: Words]

const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== ''
const isFunction = (value: unknown): boolean => typeof value === 'function'
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const orAbsent = (holds: (value: unknown) => boolean) => (value: unknown) =>
  value === undefined || holds(value)

const FUNCTION = words('a function of the options', '接收选项的函数')
const RULES: readonly Rule[] = [
  [
    'name',
    (value) => isText(value) && isSlug(value) && !RESERVED.includes(value),
    words('a name of lower-case letters, digits and hyphens', '由小写字母、数字和连字符组成的名字'),
  ],
  [
    'version',
    (value) => isText(value) && /^\d+\.\d+\.\d+$/.test(value),
    words("a version such as '1.0.0'", "形如 '1.0.0' 的版本号"),
  ],
  ['summary', isText, words('a sentence', '一句说明')],
  [
    'options',
    (value) => isFields(value) && value['type'] === 'object' && isFields(value['properties']),
    words(
      "a JSON Schema with `type: 'object'` and `properties`",
      "带 `type: 'object'` 和 `properties` 的 JSON Schema",
    ),
  ],
  ['inputs', isFields, words('ports by name ({} for none)', '按名字列出的输入口（没有就写 {}）')],
  ['outputs', isFunction, FUNCTION],
  ['steps', isFunction, FUNCTION],
  ['measures', orAbsent(isFunction), FUNCTION],
  ['slices', orAbsent(isFunction), FUNCTION],
  ['smoke', orAbsent(isFunction), FUNCTION],
  ['faults', orAbsent(isFunction), FUNCTION],
  ['splits', orAbsent(isFunction), FUNCTION],
  ['needsSplits', orAbsent(isFunction), FUNCTION],
  ['measurable', orAbsent(isFields), words('metrics by name', '按名字列出的指标')],
  ['facts', orAbsent(isFields), words('values by name', '按名字列出的数值')],
  ['live', orAbsent(isFields), words('values by name', '按名字列出的数值')],
  ['freeInputs', orAbsent(isText), words('a sentence', '一句说明')],
  [
    'decides',
    (value) => value === undefined,
    words(
      'absent: only gates and choices of Sluice decide',
      '不写：只有 Sluice 自己的 gate 和 select 才做判定',
    ),
  ],
]

export function shapeOf(exports: Fields, file: string, folder: string): PluginModule | PluginFault {
  const { stageKinds, worker } = exports
  if (!Array.isArray(stageKinds) || stageKinds.length === 0)
    return badExport(file, 'stageKinds', words('an exported list of stage kinds', '导出的阶段种类列表'))
  for (const [i, kind] of (stageKinds as readonly unknown[]).entries()) {
    const found = faultOfKind(kind)
    if (found !== null) return badExport(file, `stageKinds[${i}]${found.field}`, found.wanted)
  }
  if (worker !== undefined) {
    const found = faultOfWorker(worker, folder)
    if (found !== null) return badExport(file, `worker${found.field}`, found.wanted)
  }
  return {
    stageKinds: stageKinds as readonly StageKind[],
    worker: (worker as PluginWorker | undefined) ?? null,
  }
}

interface Fault {
  readonly field: string
  readonly wanted: Words
}

function faultOfKind(kind: unknown): Fault | null {
  if (!isFields(kind)) return { field: '', wanted: words('an object', '一个对象') }
  for (const [field, holds, wanted] of RULES) if (!holds(kind[field])) return { field: `.${field}`, wanted }
  const schema = schemaFault(kind['options'] as JsonObject)
  if (schema !== null)
    return { field: '.options', wanted: words(`a JSON Schema: ${schema}`, `JSON Schema：${schema}`) }
  for (const [port, input] of Object.entries(kind['inputs'] as Fields)) {
    const sound =
      isFields(input) && ARTIFACT_TYPES.some((type) => type === input['type']) && isText(input['help'])
    const wanted = words(
      `{type, help} with a type of ${ARTIFACT_TYPES.join(' ')}`,
      `{type, help}，type 取 ${ARTIFACT_TYPES.join('、')} 之一`,
    )
    if (!sound || !isPortName(port)) return { field: `.inputs.${port}`, wanted }
  }
  return null
}

function faultOfWorker(worker: unknown, folder: string): Fault | null {
  const ways = words('{ops: FILE} or {command: [WORD, …]}', '{ops: 文件} 或 {command: [命令, …]}')
  if (!isFields(worker)) return { field: '', wanted: ways }
  const { ops, command, slots } = worker
  if ((ops === undefined) === (command === undefined)) return { field: '', wanted: ways }
  if (ops !== undefined && !(isText(ops) && existsSync(join(folder, ops))))
    return { field: '.ops', wanted: words('a file of the plugin', '插件里的一个文件') }
  if (command !== undefined && !(Array.isArray(command) && command.length > 0 && command.every(isText)))
    return { field: '.command', wanted: words('a list of words', '由词组成的列表') }
  if (slots !== undefined && !(Number.isInteger(slots) && Number(slots) > 0))
    return { field: '.slots', wanted: words('a whole number from 1', '不小于 1 的整数') }
  return null
}
