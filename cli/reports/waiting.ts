/** What a paused run wants of people: where the sheet is, and where the ratings go. */
import type { Pipeline, Stage } from '../../dsl/pipeline.ts'
import type { Opened } from '../project.ts'
import { toType } from '../to-type.ts'
import type { Paint } from './style.ts'

export function waitingText(
  { pipeline, ...project }: Pick<Opened, 'pipeline' | 'root' | 'file'>,
  paused: readonly { readonly stage: string; readonly waitsFor: string }[],
  paint: Paint,
): string {
  return paused
    .map(({ stage: name, waitsFor }) => {
      const stage = pipeline.stages.find((each) => each.name === name)
      return [
        `${paint('yellow', `${name} waits for people`)}: ${waitsFor}`,
        ...(stage === undefined ? [] : hintsFor(stage, pipeline, toType('run', project))),
      ].join('\n')
    })
    .join('\n\n')
}

function hintsFor(stage: Stage, { name, sources }: Pipeline, again: string): readonly string[] {
  const sheets = Object.entries(stage.outputs).flatMap(([port, type]) =>
    type === 'files' ? [`  sheet: .sluice/out/${name}/${stage.name}/${port}/`] : [],
  )
  const answers = Object.values(stage.inputs).flatMap((from) => {
    const source = from.type === 'source' ? sources[from.source] : undefined
    return source?.type === 'ratings' ? [source.from] : []
  })
  const places = answers.flatMap((from) => (typeof from === 'string' ? [from] : Object.values(from)))
  return [
    ...sheets,
    `  help: send it to each rater, keep what comes back as ${places.map(exampleOf).join(', ')}, then: ${again}`,
  ]
}

/** `reviews/*.csv` as a path that somebody could type. */
function exampleOf(pattern: string): string {
  if (!/\.\w+$/.test(pattern)) return `${pattern.replace(/\/$/, '')}/NAME.csv`
  return pattern.replace('**/', '').replace(/\*/g, 'NAME')
}
