/** Warnings that need the world: which facts somebody has to gather, and what they mean for a compiled pipeline. */
import type { Diagnostic } from './diagnostic.ts'
import type { Pipeline, Stage } from './pipeline.ts'
import * as problems from './problems/world.ts'
import type { Span } from './source.ts'
import { spanAt } from './tree.ts'

export interface Facts {
  /** Dataset source -> share of its responses that contain Han characters; absent if nobody could tell. */
  readonly hanShare: Readonly<Record<string, number>>
}

/** Below this the Chinese rows are few enough to be quotations. */
const MOSTLY_CHINESE = 0.5

/** The dataset sources whose language matters. */
export function sourcesToSample(pipeline: Pipeline): readonly string[] {
  return [
    ...new Set(pipeline.stages.flatMap((stage) => (cutsAtSpaces(stage) ? datasetsOf(stage, pipeline) : []))),
  ]
}

export function adviceOn(pipeline: Pipeline, facts: Facts): readonly Diagnostic[] {
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
