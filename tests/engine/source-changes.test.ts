/** Which files and rows of a source differ. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../engine/artifact.ts'
import { rowChanges, sourceChanges } from '../../engine/plan/source-changes.ts'
import { marksOf } from '../../engine/plan/source-print.ts'

const shown = (before: string, after: string) =>
  rowChanges([...before], [...after]).map((row) => `${String(row.before ?? '')}>${String(row.after ?? '')}`)

describe('rows', () => {
  test.each([
    ['abc', 'abc', []],
    ['abc', 'aXc', ['2>2']],
    ['abc', 'aXbc', ['>2']],
    ['abc', 'ac', ['2>']],
    ['', 'ab', ['>1', '>2']],
    ['ab', '', ['1>', '2>']],
    ['abcd', 'aXYd', ['2>2', '3>3']],
    ['abcd', 'aXd', ['2>2', '3>']],
    ['aabb', 'aab', ['4>']],
    ['xxaxx', 'xxbxx', ['3>3']],
    ['abcd', 'dabc', ['>1', '4>']],
  ] as const)('%j and %j', (before, after, changes) => {
    expect(shown(before, after)).toEqual(changes)
  })

  test('the changes account for every row, once, in order', () => {
    const rows = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { maxLength: 12 })
    fc.assert(
      fc.property(rows, rows, (before, after) => {
        const changes = rowChanges(before, after)
        const gone = new Set(changes.map((row) => row.before))
        const come = new Set(changes.map((row) => row.after))
        const left = before.filter((_, i) => !gone.has(i + 1))
        expect(left).toEqual(after.filter((_, i) => !come.has(i + 1)))
        const old = changes.flatMap((row) => row.before ?? [])
        expect(old).toEqual([...new Set(old)].sort((a, b) => a - b))
      }),
    )
  })

  test('a hundred thousand of them take no time worth a word', () => {
    const many = Array.from({ length: 100_000 }, (_, i) => String(i))
    const other = many.with(500, 'x').toSpliced(90_000, 1)
    expect(rowChanges(many, other)).toEqual([
      { before: 501, after: 501 },
      { before: 90_001, after: null },
    ])
  })
})

test('files come, go and change', () => {
  const file = (path: string, text: string) => ({ path, digest: digestOf(text), rows: marksOf(text) })
  const model = (text: string) => ({ path: 'm.safetensors', digest: digestOf(text) })
  const before = {
    format: 1,
    files: [file('a', '1\n2\n'), file('gone', ''), file('same', 'x'), model('1')],
  } as const
  const after = {
    format: 1,
    files: [file('a', '1\n3\n'), file('new', ''), file('same', 'x'), model('2')],
  } as const
  expect(sourceChanges(before, after)).toEqual([
    { path: 'a', type: 'changed', rows: [{ before: 2, after: 2 }] },
    { path: 'gone', type: 'removed', rows: null },
    { path: 'm.safetensors', type: 'changed', rows: null },
    { path: 'new', type: 'added', rows: null },
  ])
})
