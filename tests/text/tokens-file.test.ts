/** The tokens file gives back what was written, and says what is wrong with a damaged one. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readTokens, writeTokens } from '../../workers/tokens-file.ts'
import type { TokenRows } from '../../workers/tokens-file.ts'
import { failureOf, tempDir } from './run-op.ts'

const token = fc.record({
  id: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  loss: fc.integer({ min: 0, max: 1 }),
})
const rows = fc.array(fc.record({ name: fc.string({ unit: 'binary' }), tokens: fc.array(token) }))

function layOut(
  list: readonly { name: string; tokens: readonly { id: number; loss: number }[] }[],
): TokenRows {
  const all = list.flatMap((row) => row.tokens)
  let end = 0
  return {
    ids: Int32Array.from(all, ({ id }) => id),
    loss: Uint8Array.from(all, ({ loss }) => loss),
    offsets: Uint32Array.from([0, ...list.map((row) => (end += row.tokens.length))]),
    rowIds: list.map((row) => row.name),
  }
}

const sample = layOut([
  { name: 'a', tokens: [1, 2, 3].map((id) => ({ id, loss: id % 2 })) },
  { name: '问', tokens: [4, 5, 6, 7, 8, 9].map((id) => ({ id, loss: 1 })) },
])

test('any rows come back as they were written', async () => {
  const path = join(await tempDir(), 'x.tokens')
  await fc.assert(
    fc.asyncProperty(rows, async (list) => {
      const written = layOut(list)
      await writeTokens(path, written)
      expect(await readTokens(path)).toEqual(written)
    }),
    { numRuns: 60 },
  )
})

test('every cut of the file is noticed, and so is anything appended', async () => {
  const path = join(await tempDir(), 'x.tokens')
  await writeTokens(path, sample)
  const bytes = await readFile(path)
  for (let length = 0; length < bytes.length; length++) {
    await writeFile(path, bytes.subarray(0, length))
    expect((await failureOf(readTokens(path))).message).toContain(path)
  }
  await writeFile(path, Buffer.concat([bytes, Buffer.of(0)]))
  expect((await failureOf(readTokens(path))).message).toMatch(/promises/)
})

test('another kind of file, another version and wrong offsets are named', async () => {
  const path = join(await tempDir(), 'x.tokens')
  await writeFile(path, 'PK\u0003\u0004 something else entirely, long enough')
  expect((await failureOf(readTokens(path))).message).toMatch(/not a tokens file/)
  await writeTokens(path, sample)
  const bytes = await readFile(path)
  const changed = (offset: number, value: number): Buffer => {
    const copy = Buffer.from(bytes)
    copy.writeUInt32LE(value, offset)
    return copy
  }
  await writeFile(path, changed(8, 2))
  expect((await failureOf(readTokens(path))).message).toMatch(/version 2.*reads 1/)
  await writeFile(path, changed(24 + 4 * 9 + 4, 12))
  expect((await failureOf(readTokens(path))).message).toMatch(/row 2 ends before it starts/)
})

test('rows that contradict themselves are not written', async () => {
  const path = join(await tempDir(), 'x.tokens')
  await expect(writeTokens(path, { ...sample, rowIds: ['a'] })).rejects.toThrow(RangeError)
  await expect(writeTokens(path, { ...sample, loss: new Uint8Array(2) })).rejects.toThrow(RangeError)
})
