/** The same test rows measured twice: which answers became better, and whether chance would do the same. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Digest } from '../../engine/artifact.ts'
import { seenRows } from '../../engine/lock/seen-rows.ts'
import { chanceOf, compareRows } from '../../engine/run/rows.ts'
import type { Measurement } from '../../engine/run/rows.ts'
import { BlobStore } from '../../engine/store/blobs.ts'
import { newRoot, write, takeTree } from '../support/rig.ts'

const root = newRoot()
const blobs = new BlobStore(root)
let count = 0

async function kept(files: Readonly<Record<string, string>>): Promise<Digest> {
  const dir = join('staged', String(count++))
  for (const [path, text] of Object.entries(files)) write(root, join(dir, path), text)
  return (await takeTree(blobs, join(root, dir))).digest
}

const jsonl = (rows: readonly unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('')

/** Row id -> ROUGE-L; perplexity gets worse as ROUGE-L gets better, so that they can be told apart. */
async function measured(rouge: Readonly<Record<string, number>>): Promise<Measurement> {
  const ids = Object.keys(rouge)
  const statistics = ids.map((id) => ({
    id,
    statistics: { rouge_l: [rouge[id]], perplexity: [(rouge[id] ?? 0) * 10, 5] },
  }))
  const answers = ids.map((id) => ({
    id,
    prompt: `问 ${id}`,
    reference: `答 ${id}`,
    output: `${id} ${String(rouge[id])}`,
  }))
  return {
    metrics: await kept({ 'metrics.json': '{}', 'rows.jsonl': jsonl(statistics) }),
    samples: await kept({ 'samples.jsonl': jsonl(answers) }),
  }
}

const before = await measured({ a: 0.6, b: 0.2, c: 0.5, d: 0.4 })
const after = await measured({ b: 0.9, c: 0.5, a: 0.1, e: 1 })

describe('compareRows', () => {
  test('pairs by id and names both answers', () => {
    const compared = compareRows(before, after, blobs, null)
    if ('missing' in compared) throw new Error(compared.missing)
    expect(compared.metric).toBe('rouge_l')
    expect(compared.unpaired).toBe(2)
    expect(compared.rows.map(({ id, row, gain }) => [id, row, Number(gain.toFixed(2))])).toEqual([
      ['b', 1, 0.7],
      ['c', 2, 0],
      ['a', 3, -0.5],
    ])
    expect(compared.rows[2]).toMatchObject({
      prompt: '问 a',
      reference: '答 a',
      answers: { before: 'a 0.6', after: 'a 0.1' },
    })
  })

  test('a gain is a gain whichever way the metric goes', () => {
    const compared = compareRows(before, after, blobs, 'perplexity')
    if ('missing' in compared) throw new Error(compared.missing)
    expect(compared.rows.map(({ id, gain }) => [id, Math.sign(gain)])).toEqual([
      ['b', -1],
      ['c', 0],
      ['a', 1],
    ])
  })

  test('takes another metric where no row moved by the first', async () => {
    const still = {
      metrics: await kept({
        'rows.jsonl': jsonl([{ id: 'a', statistics: { rouge_l: [0.6], perplexity: [9, 5] } }]),
      }),
      samples: null,
    }
    const compared = compareRows(before, still, blobs, null)
    expect('missing' in compared ? null : compared.metric).toBe('perplexity')
  })

  test('what is not here is said: rows, metric, answers', () => {
    const gone = { metrics: 'sha256:00' as Digest, samples: null }
    expect(compareRows(gone, after, blobs, null)).toEqual({
      missing: 'the rows of sha256:00 are not in the store of this machine',
    })
    expect(compareRows(before, after, blobs, 'bleu')).toEqual({
      missing: 'rows cannot be compared by bleu; both sides have: rouge_l, perplexity',
    })
    const silent = compareRows({ ...before, samples: null }, { ...after, samples: null }, blobs, null)
    expect('missing' in silent ? null : silent.rows[0]?.answers).toEqual({ before: null, after: null })
  })
})

describe('chanceOf', () => {
  const many = (value: (i: number) => number) =>
    measured(Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`r${String(i)}`, value(i)])))

  test('is small for a change in every row, and not for noise', async () => {
    const old = await many((i) => (i % 7) / 10)
    const clear = chanceOf('rouge_l', old.metrics, (await many((i) => (i % 7) / 10 + 0.1)).metrics, blobs)
    const noise = chanceOf(
      'rouge_l',
      old.metrics,
      (await many((i) => (i % 7) / 10 + (i % 2 === 0 ? 0.1 : -0.1))).metrics,
      blobs,
    )
    expect(clear).toEqual({ p: 1 / 2001, rows: 60 })
    expect(noise?.p).toBeGreaterThan(0.2)
  })

  test('is not claimed for other rows, nor for what is no metric of rows', () => {
    expect(chanceOf('rouge_l', before.metrics, after.metrics, blobs)).toBeNull()
    expect(chanceOf('latency', before.metrics, before.metrics, blobs)).toBeNull()
  })
})

test('test rows that a model was trained on are counted', async () => {
  const tokens = await kept({
    'train.jsonl': jsonl([{ id: 'b' }, { id: 'c' }, { id: 'x' }]),
    'test.jsonl': jsonl([{ id: 'a' }]),
  })
  expect(seenRows({ 'input.tokens': tokens, 'with.lr': 1 }, after.metrics, blobs)).toEqual({ seen: 2, of: 4 })
  expect(seenRows({ 'input.tokens': 'sha256:00' }, after.metrics, blobs)).toBeNull()
  expect(seenRows(undefined, after.metrics, blobs)).toBeNull()
})
