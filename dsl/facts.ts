/** Mistakes that need the world: which facts somebody has to gather, and what they mean for a compiled pipeline. */
import type { Diagnostic } from './diagnostic.ts'
import type { Pipeline, Stage } from './pipeline.ts'
import * as problems from './problems/world.ts'
import type { Span } from './source.ts'
import { spanAt } from './tree.ts'

export interface Facts {
  /** Dataset source -> share of its responses that contain Han characters; absent if nobody could tell. */
  readonly hanShare: Readonly<Record<string, number>>
  /** Dataset source -> its test prompts that are in train, too; absent if there are none, or nobody could tell. */
  readonly overlaps: Readonly<Record<string, Overlap>>
}

export interface Overlap {
  /** Test rows whose prompt is in train. */
  readonly rows: number
  /** All test rows. */
  readonly of: number
  /** One of them, and the row of train that asks the same. */
  readonly test: RowPlace
  readonly train: RowPlace
}

export interface RowPlace {
  /** `data/test.jsonl:12`. */
  readonly place: string
  readonly prompt: string
}

/** Below this the Chinese rows are few enough to be quotations. */
const MOSTLY_CHINESE = 0.5

/** The dataset sources whose language matters. */
export function sourcesToSample(pipeline: Pipeline): readonly string[] {
  return [
    ...new Set(pipeline.stages.flatMap((stage) => (cutsAtSpaces(stage) ? datasetsOf(stage, pipeline) : []))),
  ]
}

/**
 * The dataset sources that say themselves what is for training and what for the test, and whose rows reach a stage as
 * they are. A `clean` that drops what train has from test has them in order.
 */
export function sourcesToCompare(pipeline: Pipeline): readonly string[] {
  const asWritten = pipeline.stages
    .filter((stage) => !dropsRepeated(stage))
    .flatMap((stage) => Object.values(stage.inputs))
  const read = new Set(asWritten.flatMap((each) => (each.type === 'source' ? [each.source] : [])))
  return Object.values(pipeline.sources)
    .filter(
      ({ name, type, from }) =>
        type === 'dataset' && typeof from !== 'string' && 'train' in from && 'test' in from && read.has(name),
    )
    .map(({ name }) => name)
}

function dropsRepeated({ with: options }: Stage): boolean {
  const { drop, conflicts } = options
  return Array.isArray(drop) && drop.includes('duplicate') && (conflicts === 'first' || conflicts === 'drop')
}

export function adviceOn(pipeline: Pipeline, facts: Facts): readonly Diagnostic[] {
  return [...leaksIn(pipeline, facts), ...chineseScores(pipeline, facts)]
}

function leaksIn(pipeline: Pipeline, { overlaps }: Facts): readonly Diagnostic[] {
  return sourcesToCompare(pipeline).flatMap((name) => {
    const [overlap, source] = [overlaps[name], pipeline.sources[name]]
    return overlap === undefined || source === undefined ? [] : [problems.testInTrain(source.span, overlap)]
  })
}

function chineseScores(pipeline: Pipeline, facts: Facts): readonly Diagnostic[] {
  return pipeline.stages.flatMap((stage) => {
    // The twin that `baseline: untuned` adds was written nowhere.
    if (!cutsAtSpaces(stage) || stage.synthesised) return []
    const chinese = datasetsOf(stage, pipeline).find((name) => (facts.hanShare[name] ?? 0) >= MOSTLY_CHINESE)
    if (chinese === undefined) return []
    const from = pipeline.sources[chinese]?.from ?? chinese
    const files = typeof from === 'string' ? from : Object.values(from).join(' ')
    return [problems.bleuOnChinese(placeOf(stage), stage.name, files, facts.hanShare[chinese] ?? 0)]
  })
}

/** BLEU with the tokenizer that takes a Chinese sentence for one word. */
function cutsAtSpaces({ with: options }: Stage): boolean {
  const metrics = options['metrics']
  return Array.isArray(metrics) && metrics.includes('bleu') && options['bleu_tokenizer'] === '13a'
}

/** `bleu` where it is written; else the stage. */
function placeOf(stage: Stage): Span {
  const metrics = stage.optionSpans['metrics']
  if (metrics === undefined) return stage.span
  const at = metrics.source.text.slice(metrics.start, metrics.end).search(/\bbleu\b/)
  return at < 0 ? metrics : spanAt(metrics.source, metrics.start + at, metrics.start + at + 'bleu'.length)
}

/** Every dataset source upstream. */
function datasetsOf(stage: Stage, pipeline: Pipeline): readonly string[] {
  const found = new Set<string>()
  const seen = new Set<string>()
  const queue = [stage]
  for (let at = queue.shift(); at !== undefined; at = queue.shift())
    for (const reference of Object.values(at.inputs)) {
      if (reference.type === 'source') {
        if (pipeline.sources[reference.source]?.type === 'dataset') found.add(reference.source)
        continue
      }
      const next = pipeline.stages.find((each) => each.name === reference.stage)
      if (next === undefined || seen.has(next.name)) continue
      seen.add(next.name)
      queue.push(next)
    }
  return [...found]
}
