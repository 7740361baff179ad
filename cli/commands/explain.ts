/** `sluice explain`: what a message's code, a stage kind or a metric means. */
import { catalogue, type Explanation } from '../../dsl/catalogue.ts'
import { own } from '../../dsl/own.ts'
import { words } from '../../dsl/problems/problem.ts'
import { didYouMean } from '../../dsl/spelling.ts'
import type { StageKind } from '../../engine/stage-kind.ts'
import type { JsonObject, MetricSchema } from '../../dsl/stage-signature.ts'
import { inLanguage, type Language, type Words } from '../../dsl/words.ts'
import { languageOf } from '../language.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { kindsAround } from '../project.ts'

export async function explainCommand(command: Command, buildDir: string): Promise<number> {
  const [word, ...rest] = command.args
  const language = languageOf(process.env)
  const code = word?.toUpperCase() ?? ''
  const entry = rest.length > 0 ? undefined : own(catalogue, code)
  // A plugin that cannot be loaded has a code that can be explained.
  if (entry !== undefined) {
    process.stdout.write(`${explanation(code, entry, language)}\n`)
    return 0
  }
  const kinds = await kindsAround(buildDir)
  const metrics = Object.assign(
    {},
    ...Object.values(kinds).map((kind) => kind.measurable ?? {}),
  ) as NonNullable<StageKind['measurable']>
  const known = `a code such as E201, a stage (${Object.keys(kinds).join(' ')}) or a metric (${Object.keys(metrics).join(' ')})`
  if (word === undefined || rest.length > 0) throw new Usage(`explain wants one word\n  help: ${known}`, true)
  const kind = own(kinds, word)
  const metric = own(metrics, word)
  if (kind !== undefined) process.stdout.write(`${kindText(kind)}\n`)
  else if (metric !== undefined) process.stdout.write(`${metricText(word, metric, language)}\n`)
  else {
    const near = didYouMean(word, [...Object.keys(catalogue), ...Object.keys(kinds), ...Object.keys(metrics)])
    const guess = near === null ? '' : `; did you mean '${near}'?`
    throw new Usage(`nothing is called '${word}'${guess}\n  help: ${known}`, true)
  }
  return 0
}

const WRONG = words('wrong:', '错误写法:')
const RIGHT = words('right:', '正确写法:')

/** In the order of Rust's RFC 1567: what it means, an example of the mistake, the example put right, why. */
export function explanation(code: string, entry: Explanation, language: Language): string {
  const say = (text: Words | string): string => inLanguage(text, language)
  const indented = (text: Words | string): string => say(text).replace(/^/gm, '    ')
  return [
    `${code}  ${say(entry.meaning)}`,
    '',
    `  ${say(WRONG)}`,
    indented(entry.wrong),
    `  ${say(RIGHT)}`,
    indented(entry.right),
    '',
    `  ${say(entry.why)}`,
  ].join('\n')
}

function metricText(name: string, metric: MetricSchema, language: Language): string {
  const range = `${String(metric.min ?? '-∞')} … ${String(metric.max ?? '∞')}`
  const higher = metric.direction === 'higher'
  return language === 'zh'
    ? `${name}  ${metric.title.zh}；${higher ? '越大越好' : '越小越好'}，范围 ${range}`
    : `${name}  ${metric.title.en}; ${metric.direction} is better, ${range}`
}

function kindText(kind: StageKind): string {
  const options = Object.entries((kind.options['properties'] ?? {}) as Record<string, JsonObject>)
  return [
    `${kind.name}@${kind.version}  ${kind.summary}`,
    '',
    ...Object.entries(kind.inputs).map(
      ([port, { type, optional, named, help }]) =>
        `  in   ${port.padEnd(14)} ${type}${named === true ? ' (only if inputs: names it)' : optional === true ? ' (optional)' : ''}: ${help}`,
    ),
    ...(kind.freeInputs === undefined ? [] : [`  in   ${'(any name)'.padEnd(14)} ${kind.freeInputs}`]),
    ...options.map(([name, schema]) => {
      const fallback =
        schema['default'] === undefined ? '' : ` (default ${JSON.stringify(schema['default'])})`
      const words = schema['description']
      return `  with ${name.padEnd(14)} ${typeof words === 'string' ? words : ''}${fallback}`
    }),
  ].join('\n')
}
