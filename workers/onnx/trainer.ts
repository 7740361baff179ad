/** The training loop: run the batches of a step, clip, update, report; keep checkpoints and go on from one. */
import type { JsonObject } from '../protocol/json.ts'
import { JobError } from '../op.ts'
import type { OpContext } from '../op.ts'
import { addInto, clipScale, createAdamW, globalNorm, stepAdamW } from './adamw.ts'
import type { AdamW } from './adamw.ts'
import type { Batch } from './batches.ts'
import type { LlamaRunner } from './llama-runner.ts'
import type { ParameterLayout } from './parameter-layout.ts'
import { resumeRandom } from './random.ts'
import type { Random } from './random.ts'
import { learningRate } from './schedule.ts'
import type { Schedule } from './schedule.ts'
import { openTrainingState, writeTrainingState } from './training-state.ts'
import type { StoredState } from './training-state.ts'

export interface Training {
  readonly runner: LlamaRunner
  readonly layout: ParameterLayout
  /** Flat vectors of `layout.size`: the runner reads the first and writes the second. */
  readonly parameters: Float32Array
  readonly gradients: Float32Array
  readonly schedule: Schedule
  readonly beta2: number
  readonly weightDecay: number
  /** Largest norm of the gradient of all parameters together; 0 for none. */
  readonly clip: number
  /**
   * The batches of the next step; their losses are averaged over all their targets together. The n-th call always
   * gives the same: training that goes on from a checkpoint draws what was used before again, and leaves it.
   */
  nextBatches(): readonly Batch[]
  /** Draws the dropout masks, whose elements are 1 with the probability `keep`. */
  readonly dropout?: { readonly random: Random; readonly keep: number }
}

/** One line of the training report. */
export interface StepRecord extends JsonObject {
  readonly step: number
  /** Mean loss per target, nats. */
  readonly loss: number
  readonly lr: number
  /** Before clipping. */
  readonly grad_norm: number
  /** Tokens seen since the beginning, without padding. */
  readonly tokens: number
}

/**
 * Trains `parameters` in place for `schedule.steps` steps. Throws `JobError` when a loss or gradient is not finite;
 * the parameters are then those before that step, and the caller writes nothing.
 */
export async function train(context: OpContext, training: Training): Promise<StepRecord[]> {
  const { runner, layout, parameters, gradients, schedule } = training
  const optimizer = createAdamW(layout.size, {
    beta1: 0.9,
    beta2: training.beta2,
    weightDecay: training.weightDecay,
  })
  const { checkpoints } = context
  const found = goOn(context, training, optimizer)
  const records: StepRecord[] = found === null ? [] : [...found.records]
  let masks = training.dropout?.random ?? null
  if (masks !== null && found?.dropout != null) masks = resumeRandom(found.dropout)
  const keep = training.dropout?.keep ?? 1
  const fillMask = (mask: Uint8Array) => masks?.bernoulli(mask, keep)
  // A step that is cut short has drawn masks, but changed nothing else.
  let dropout = masks?.state() ?? null
  let saved = records.length
  const save = () => {
    if (checkpoints === undefined || records.length === saved) return
    saved = records.length
    checkpoints.save(saved, (dir) =>
      writeTrainingState(dir, layout, { parameters, optimizer, records, dropout }),
    )
  }
  const rate = createRateMeter()
  let sum: Float32Array | null = null
  let tokens = records.at(-1)?.tokens ?? 0
  try {
    for (let step = records.length; step < schedule.steps; step++) {
      if (checkpoints?.isDue() === true) save()
      await context.throwIfCancelled()
      const batches = training.nextBatches()
      const targets = batches.reduce((count, batch) => count + batch.supervised, 0)
      let loss = 0
      for (const [index, batch] of batches.entries()) {
        if (index > 0) await context.throwIfCancelled()
        const weights = slotWeights(batch, targets)
        const nll = await runner.run(batch, weights, fillMask)
        loss += weightedSum(nll, weights)
        tokens += batch.tokens
        rate.add(batch.tokens)
        if (batches.length === 1) continue
        sum ??= new Float32Array(layout.size)
        if (index === 0) sum.set(gradients)
        else addInto(sum, gradients)
      }
      const gradient = batches.length === 1 ? gradients : sum!
      const norm = globalNorm(gradient)
      const lr = learningRate(schedule, step)
      if (!Number.isFinite(loss) || !Number.isFinite(norm))
        throw diverged(step, schedule, lr, loss, norm, records)
      stepAdamW(optimizer, layout, parameters, gradient, lr, clipScale(norm, training.clip))
      records.push({ step: step + 1, loss, lr, grad_norm: norm, tokens })
      dropout = masks?.state() ?? null
      context.progress(step + 1, schedule.steps, 'step', { loss, lr, tokensPerSecond: rate.perSecond() })
    }
  } catch (error) {
    if ((error as JobError).kind === 'cancelled') save()
    throw error
  }
  return records
}

/** Takes up the state that an earlier attempt kept; null, with a word if it does not fit, to begin at the beginning. */
function goOn(context: OpContext, training: Training, optimizer: AdamW): StoredState | null {
  const { checkpoints } = context
  const { layout, parameters, schedule } = training
  if (checkpoints?.found == null) return null
  const { dir, step } = checkpoints.found
  let found: StoredState
  try {
    found = openTrainingState(dir, layout, step)
  } catch (error) {
    const why = (error as Error).message
    context.note('warning', `the checkpoint of step ${step} does not fit, so training begins anew: ${why}`)
    return null
  }
  found.load({ parameters, optimizer })
  for (let drawn = 0; drawn < step; drawn++) training.nextBatches()
  checkpoints.resumed()
  const { loss, lr } = found.records.at(-1)!
  context.progress(step, schedule.steps, 'step', { loss, lr })
  return found
}

/** Mean loss of the last tenth of the steps, which one batch cannot sway. */
export function finalLoss(records: readonly StepRecord[]): number {
  const last = records.slice(-Math.max(1, Math.ceil(records.length / 10)))
  return last.reduce((sum, record) => sum + record.loss, 0) / last.length
}

/** 1 / targets for slots in use, 0 for the others. */
function slotWeights(batch: Batch, targets: number): Float32Array {
  return Float32Array.from(batch.owners, (owner) => (owner < 0 ? 0 : 1 / targets))
}

function weightedSum(values: Float32Array, weights: Float32Array): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) if (weights[i] !== 0) sum += values[i]! * weights[i]!
  return sum
}

function diverged(
  step: number,
  schedule: Schedule,
  lr: number,
  loss: number,
  norm: number,
  records: readonly StepRecord[],
): JobError {
  const what = Number.isFinite(loss) ? `the gradient's norm became ${norm}` : `the loss became ${loss}`
  const before = records.at(-1)
  const history = before === undefined ? '' : ` The step before had loss ${before.loss.toPrecision(4)}.`
  return new JobError(
    'input',
    `Training diverged at step ${step + 1} of ${schedule.steps}: ${what} (learning rate ${lr.toPrecision(3)}).${history}`,
    'Lower lr or lengthen warmup; check that clip is not 0. Nothing was written.',
  )
}

/** Tokens per second over the last seconds, so that a pause does not show for ever. */
function createRateMeter(): { add(tokens: number): void; perSecond(): number } {
  const WINDOW_MS = 5000
  const marks: { at: number; tokens: number }[] = [{ at: performance.now(), tokens: 0 }]
  let total = 0
  return {
    add(tokens) {
      total += tokens
      const at = performance.now()
      marks.push({ at, tokens: total })
      while (marks.length > 2 && marks[1]!.at < at - WINDOW_MS) marks.shift()
    },
    perSecond() {
      const [first, last] = [marks[0]!, marks.at(-1)!]
      return last.at > first.at ? ((last.tokens - first.tokens) * 1000) / (last.at - first.at) : 0
    },
  }
}
