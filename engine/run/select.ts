/** Decides a `select`: the best of the trials that were measured, by the file's rules. */
import { decide } from '../../dsl/judge.ts'
import type { Selection, Stage } from '../../dsl/pipeline.ts'
import type { Json, JsonObject } from '../../dsl/stage-signature.ts'
import { canonicalJson, digestOf } from '../artifact.ts'
import type { Artifact } from '../artifact.ts'
import type { BlobStore } from '../store/blobs.ts'
import type { Result } from '../store/results.ts'
import { readMetrics, scoreSet } from './gate.ts'

/** A trial that succeeded, with what was measured on it. */
interface Trial {
  /** `r=8,lr=2e-4`; empty where nothing was swept. */
  readonly label: string
  readonly point: JsonObject
  readonly value: number
  readonly outputs: Readonly<Record<string, Artifact>>
}

export type Choice =
  | { readonly type: 'chosen'; readonly label: string; readonly result: Result }
  | { readonly type: 'none'; readonly reason: string }

/** `resultOf` gives what a stage made, or null if it failed or was not run; `pointOf` where it stands in the matrix. */
export function choose(
  stage: Stage,
  resultOf: (stage: string) => Result | null,
  pointOf: (stage: string) => JsonObject,
  blobs: BlobStore,
): Choice {
  const { selection } = stage
  if (selection === null) throw new Error(`bug: ${stage.name} is no selection`)
  const trials: Trial[] = []
  let succeeded = 0
  const reasons: string[] = []
  for (const [port, from] of Object.entries(stage.inputs)) {
    const label = labelOf(port, 'metrics')
    if (label === null || from.type !== 'stage') continue
    const artifact = resultOf(from.stage)?.outputs[from.port]
    if (artifact === undefined) continue
    const outputs = outputsAt(stage, label, artifact, resultOf)
    if (outputs === null) continue
    succeeded++
    const read = readMetrics(artifact, blobs)
    const scores = 'missing' in read ? null : scoreSet(read, from.stage)
    const value = scores?.values[selection.by.metric] ?? null
    if (scores === null || value === null || !Number.isFinite(value)) {
      reasons.push(`${from.stage} has no ${selection.by.metric}`)
      continue
    }
    const { where } = selection
    const directions = 'missing' in read ? {} : read.metrics
    if (
      where !== null &&
      decide(where.expression, { judged: scores, spaces: {} }, directions).value !== true
    ) {
      reasons.push(`${from.stage} does not fulfil ${where.text}`)
      continue
    }
    trials.push({ label, point: pointOf(from.stage), value, outputs })
  }
  if (succeeded < selection.atLeast) {
    const counts = `${String(succeeded)} of ${String(selection.of)} trials succeeded`
    return { type: 'none', reason: `${counts}, at_least wants ${String(selection.atLeast)}` }
  }
  const winner = best(trials, selection)
  if (winner === null) return { type: 'none', reason: `no trial is left to choose: ${reasons.join('; ')}` }
  return { type: 'chosen', label: winner.label, result: resultOfChoice(winner, trials.length, selection) }
}

/** `metrics[r=8]` of the port `metrics` is `r=8`; null for other ports. */
function labelOf(input: string, port: string): string | null {
  if (input === port) return ''
  return input.startsWith(`${port}[`) ? input.slice(port.length + 1, -1) : null
}

/** What the winner at this point would hand on; null if the trial has no such output. */
function outputsAt(
  stage: Stage,
  label: string,
  metrics: Artifact,
  resultOf: (stage: string) => Result | null,
): Readonly<Record<string, Artifact>> | null {
  const outputs: Record<string, Artifact> = { metrics }
  for (const port of Object.keys(stage.outputs)) {
    if (port === 'metrics') continue
    // A port that is not swept as far as the metrics are belongs to every trial whose point begins with its own.
    const input = Object.entries(stage.inputs)
      .map(([name, from]) => ({ at: labelOf(name, port), from }))
      .filter(({ at }) => at !== null && (at === '' || at === label || label.startsWith(`${at},`)))
      .sort((a, b) => (b.at?.length ?? 0) - (a.at?.length ?? 0))[0]
    const artifact =
      input?.from.type === 'stage' ? resultOf(input.from.stage)?.outputs[input.from.port] : undefined
    if (artifact === undefined) return null
    outputs[port] = artifact
  }
  return outputs
}

function best(trials: readonly Trial[], { by, tie }: Selection): Trial | null {
  let winner: Trial | null = null
  for (const trial of trials) {
    if (winner === null) winner = trial
    else if (trial.value !== winner.value) {
      if (trial.value > winner.value === (by.wants === 'highest')) winner = trial
    } else if (
      tie !== null &&
      smaller(trial.point[tie.axis], winner.point[tie.axis]) === (tie.wants === 'smallest')
    )
      winner = trial
  }
  return winner
}

function smaller(a: Json | undefined, b: Json | undefined): boolean {
  return typeof a === 'number' && typeof b === 'number' ? a < b : JSON.stringify(a) < JSON.stringify(b)
}

function resultOfChoice(winner: Trial, considered: number, { by, of }: Selection): Result {
  const { outputs } = winner
  return {
    format: 1,
    key: digestOf(canonicalJson(outputs as unknown as JsonObject)),
    manifest: {},
    outputs,
    summary: { chosen: winner.label, [by.metric]: winner.value, considered, of },
    durationMs: 0,
    provenance: {},
  }
}
