/** `sluice explain`: what a message's code, a stage kind or a metric means. */
import { catalogue } from '../../dsl/catalogue.ts'
import { didYouMean } from '../../dsl/spelling.ts'
import { stageKinds } from '../../stages/catalogue.ts'
import type { StageKind } from '../../engine/stage-kind.ts'
import type { JsonObject } from '../../dsl/stage-signature.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'

export function explainCommand(command: Command): number {
  const [word, ...rest] = command.args
  const metrics = Object.assign(
    {},
    ...Object.values(stageKinds).map((kind) => kind.measurable ?? {}),
  ) as NonNullable<StageKind['measurable']>
  if (word === undefined || rest.length > 0) {
    throw new Usage(`explain wants one word\n  help: ${explained(Object.keys(metrics))}`, true)
  }
  const entry = catalogue[word.toUpperCase()]
  const kind = stageKinds[word]
  const metric = metrics[word]
  if (entry !== undefined) {
    const { title, why, wrong, right } = entry
    const indent = (text: string) =>
      text
        .split('\n')
        .map((line) => `    ${line}`)
        .join('\n')
    process.stdout.write(
      `${word.toUpperCase()}  ${title}\n\n  wrong:\n${indent(wrong)}\n  right:\n${indent(right)}\n\n  ${why}\n`,
    )
  } else if (kind !== undefined) process.stdout.write(`${kindText(kind)}\n`)
  else if (metric !== undefined) {
    const range = `${String(metric.min ?? '-∞')} … ${String(metric.max ?? '∞')}`
    process.stdout.write(
      `${word}  ${metric.title.en} (${metric.title.zh}); ${metric.direction} is better, ${range}\n`,
    )
  } else {
    const near = didYouMean(word, [
      ...Object.keys(catalogue),
      ...Object.keys(stageKinds),
      ...Object.keys(metrics),
    ])
    const guess = near === null ? '' : `; did you mean '${near}'?`
    throw new Usage(`nothing is called '${word}'${guess}\n  help: ${explained(Object.keys(metrics))}`, true)
  }
  return 0
}

function explained(metrics: readonly string[]): string {
  return `a code such as E201, a stage (${Object.keys(stageKinds).join(' ')}) or a metric (${metrics.join(' ')})`
}

function kindText(kind: StageKind): string {
  const options = Object.entries((kind.options['properties'] ?? {}) as Record<string, JsonObject>)
  return [
    `${kind.name}@${kind.version}  ${kind.summary}`,
    '',
    ...Object.entries(kind.inputs).map(
      ([port, { type, optional, help }]) =>
        `  in   ${port.padEnd(14)} ${type}${optional === true ? ' (optional)' : ''}: ${help}`,
    ),
    ...options.map(([name, schema]) => {
      const fallback =
        schema['default'] === undefined ? '' : ` (default ${JSON.stringify(schema['default'])})`
      const words = schema['description']
      return `  with ${name.padEnd(14)} ${typeof words === 'string' ? words : ''}${fallback}`
    }),
  ].join('\n')
}
