/** Training that is stopped or killed and goes on gives what it would have given without: every byte, every loss. */
import { cpSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { digestOf } from '../../engine/artifact.ts'
import { StageCheckpoints } from '../../engine/run/checkpoints.ts'
import { keepCheckpoints } from '../../workers/checkpoint-folder.ts'
import { run as loraTrain } from '../../workers/onnx/ops/lora-train.ts'
import { run as pretrain } from '../../workers/onnx/ops/pretrain.ts'
import { JobError } from '../../workers/op.ts'
import type { Op } from '../../workers/op.ts'
import type { JsonObject } from '../../workers/protocol/json.ts'
import { LORA, PRETRAIN, bytesOf, freshDir, makeCorpus, makeTokens, runJob } from './training-jobs.ts'
import type { Ran } from './training-jobs.ts'

interface Work {
  readonly op: Op
  readonly options: JsonObject
  readonly inputs: Readonly<Record<string, string>>
  readonly outputs: readonly string[]
}

let corpus: string
let tokenizer: string
let model: string
beforeAll(async () => {
  ;({ corpus, tokenizer } = makeCorpus())
  const { outputs } = await runJob(pretrain, { ...PRETRAIN, steps: 20 }, { corpus, tokenizer }, ['model'])
  model = outputs['model']!
})

/** 24 rows in steps of 5: the last step of an epoch has 4. */
const lora = async (changes: JsonObject = {}, longer = 0): Promise<Work> => ({
  op: loraTrain,
  options: { ...LORA, epochs: 3, batch_size: 5, dropout: 0.1, ...changes },
  inputs: { tokens: await makeTokens(model, { longer }), model },
  outputs: ['adapter', 'training'],
})
const pretraining = (changes: JsonObject = {}): Work => ({
  op: pretrain,
  options: { ...PRETRAIN, steps: 12, ...changes },
  inputs: { corpus, tokenizer },
  outputs: ['model'],
})

interface Interruption {
  /** A request to stop, which the op may answer with a last checkpoint, or a death without a word. */
  readonly how: 'stop' | 'kill'
  /** At the how manieth time that the op asks whether it may go on. */
  readonly at: number
}

interface Through extends Ran {
  /** The steps from which the jobs went on. */
  readonly resumedAt: readonly number[]
  readonly notes: readonly string[]
}

/** One job after another at the same work, each but the last interrupted; every third step is kept. */
async function interrupted(
  { op, options, inputs, outputs }: Work,
  interruptions: readonly Interruption[],
  between: (dir: string) => void = () => undefined,
): Promise<Through> {
  const stage = new StageCheckpoints(freshDir(), digestOf('key'), 0)
  const resumedAt: number[] = []
  const notes: string[] = []
  const attempt = (interruption: Interruption | null): Promise<Ran> => {
    const place = stage.placeFor('op', (text) => notes.push(text))
    const kept = keepCheckpoints(place, (told) => {
      if (told.type === 'checkpoint') stage.prune('op')
      if (told.type === 'resumed') resumedAt.push(told.step)
      if (told.type === 'note') notes.push(told.text)
    })
    let [steps, asked] = [0, 0]
    const throwIfCancelled = (): void => {
      asked += 1
      if (asked !== interruption?.at) return
      throw interruption.how === 'stop' ? new JobError('cancelled', 'stopped') : new Error('killed')
    }
    const checkpoints = { ...kept, isDue: () => ++steps % 3 === 0 }
    const note = (text: string) => notes.push(text)
    return runJob(op, options, inputs, outputs, { checkpoints, throwIfCancelled, note })
  }
  for (const interruption of interruptions) {
    await expect(attempt(interruption)).rejects.toThrow(/stopped|killed/)
    between(stage.placeFor('op', () => undefined).resume ?? '')
  }
  return { ...(await attempt(null)), resumedAt, notes }
}

/** Everything that a job left, by content. */
function leftBy({ summary, outputs }: Ran): JsonObject {
  const files = Object.entries(outputs).flatMap(([port, dir]) =>
    readdirSync(dir).map((file) => [`${port}/${file}`, bytesOf(dir, file)]),
  )
  return { summary, ...Object.fromEntries(files) } as JsonObject
}

const stop = (at: number): Interruption => ({ how: 'stop', at })
const kill = (at: number): Interruption => ({ how: 'kill', at })

// A step asks once: stopped at 6 of 15 steps, five are done, which is one epoch.
test.each<[string, readonly Interruption[], readonly number[]]>([
  ['stopped in the first epoch', [stop(3)], [2]],
  ['stopped at the end of an epoch', [stop(6)], [5]],
  ['stopped in the second epoch', [stop(9)], [8]],
  ['stopped before the last step', [stop(15)], [14]],
  ['killed', [kill(8)], [5]],
  ['killed before it kept anything', [kill(2)], []],
  ['stopped and killed again and again', [kill(5), stop(2), kill(4), stop(1), stop(6)], [2, 3, 5, 5, 10]],
])('lora-train with dropout, %s', async (_, interruptions, resumedAt) => {
  const work = await lora()
  const through = await interrupted(work, interruptions)
  expect(through.resumedAt).toEqual(resumedAt)
  expect(through.summary['steps']).toBe(15)
  expect(through.notes).toEqual([])
  expect(leftBy(through)).toEqual(leftBy(await runJob(work.op, work.options, work.inputs, work.outputs)))
})

test('lora-train, stopped and killed between the batches of a step', async () => {
  // 24 rows of over 200 tokens are two batches of at most 4096.
  const work = await lora({ batch_size: 12, grad_accum: 2, epochs: 5 }, 200)
  let asked = 0
  const whole = await runJob(work.op, work.options, work.inputs, work.outputs, {
    throwIfCancelled: () => (asked += 1),
  })
  expect(whole.summary['steps']).toBe(5)
  expect(asked).toBe(10)
  const through = await interrupted(work, [stop(4), kill(6)])
  expect(through.resumedAt).toEqual([1, 3])
  expect(leftBy(through)).toEqual(leftBy(whole))
})

test.each<[string, readonly Interruption[], readonly number[]]>([
  ['stopped', [stop(5)], [4]],
  ['killed', [kill(9)], [8]],
  ['stopped and killed', [stop(2), kill(8), stop(4)], [1, 6, 9]],
])('pretrain, %s', async (_, interruptions, resumedAt) => {
  const work = pretraining()
  const through = await interrupted(work, interruptions)
  const whole = await runJob(work.op, work.options, work.inputs, work.outputs)
  // Several passes over the corpus, so that an epoch ends on the way.
  expect(whole.summary['epochs']).toBeGreaterThan(1)
  expect(through.resumedAt).toEqual(resumedAt)
  expect(leftBy(through)).toEqual(leftBy(whole))
})

test('the first thing that training says when it goes on is where it stands', async () => {
  const work = await lora()
  const through = await interrupted(work, [stop(9)])
  expect(through.values).toHaveLength(1 + 7)
  const lines = readFileSync(join(through.outputs['training']!, 'metrics.jsonl'), 'utf8').split('\n')
  const eighth = JSON.parse(lines[7]!) as Record<string, number>
  expect(through.values[0]).toEqual({ loss: eighth['loss'], lr: eighth['lr'] })
})

test('a checkpoint that is whole but does not fit costs the work, not the stage', async () => {
  const work = await lora()
  const other = await lora({ r: 4 })
  const strange = join(freshDir(), '5')
  await interrupted(other, [stop(6)], (dir) => cpSync(dir, strange, { recursive: true }))
  const notes: string[] = []
  const checkpoints = keepCheckpoints({ dir: freshDir(), resume: strange, of: 'x', everyMs: 1e9 }, () => {
    throw new Error('it goes on')
  })
  const through = await runJob(work.op, work.options, work.inputs, work.outputs, {
    checkpoints,
    note: (text) => notes.push(text),
  })
  expect(notes).toEqual([expect.stringMatching(/step 5 does not fit.*lora\.0\.q_proj\+k_proj\+v_proj\.A/)])
  expect(leftBy(through)).toEqual(leftBy(await runJob(work.op, work.options, work.inputs, work.outputs)))
})

test('a disk that takes no checkpoint is told once each time; training goes on', async () => {
  const work = await lora()
  const file = join(freshDir(), 'file')
  writeFileSync(file, '')
  const notes: string[] = []
  const place = { dir: join(file, 'below'), resume: null, of: 'x', everyMs: 0 }
  const kept = keepCheckpoints(place, (told) => notes.push(told.type === 'note' ? told.text : told.type))
  const settings = { checkpoints: { ...kept, isDue: () => true } }
  const through = await runJob(work.op, work.options, work.inputs, work.outputs, settings)
  expect(through.summary['steps']).toBe(15)
  expect(notes).toHaveLength(14)
  for (const [i, note] of notes.entries())
    expect(note).toMatch(new RegExp(`^the checkpoint of step ${i + 1} could not be written: ENOTDIR`))
})
