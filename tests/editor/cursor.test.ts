/** Finding the place where somebody types: in good files it is where the tree says, in half-written ones where people expect. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Diagnostic } from '../../dsl/diagnostic.ts'
import { readYaml } from '../../dsl/read-yaml.ts'
import type { Node } from '../../dsl/tree.ts'
import { cursorAt, type Path } from '../../editor/cursor.ts'

/** `|` marks the cursor. */
function at(marked: string) {
  const offset = marked.indexOf('|')
  const cursor = cursorAt(marked.slice(0, offset) + marked.slice(offset + 1), offset)
  if (cursor === null) return null
  const { path, slot, text } = cursor
  return `${slot} ${path.join('.')} <${text}>`
}

describe('the cursor in half-written text', () => {
  const table: readonly (readonly [string, string | null])[] = [
    ['|', 'key  <>'],
    ['ver|', 'key  <ver>'],
    ['version: 1\nna|\nflow: a', 'key  <na>'],
    ['name: |', 'value name <>'],
    ['name:|', 'value name <>'],
    ['name: ab|c', 'value name <ab>'],
    ['stages:\n  |', 'open stages <>'],
    ['stages:\n  eval:\n    |', 'open stages.eval <>'],
    ['stages:\n  eval:\n    uses: eval\n    |', 'key stages.eval <>'],
    ['stages:\n  eval:\n    uses: eval\n  |', 'key stages <>'],
    ['stages:\n  eval:\n    uses: eval\n|', 'key  <>'],
    ['stages:\n  eval:\n    with:\n      metrics: [bleu, ro|', 'value stages.eval.with.metrics.1 <ro>'],
    ['stages:\n  eval: { with: { split: te|', 'value stages.eval.with.split <te>'],
    ['stages:\n  eval: { with: { split: test, |', 'key stages.eval.with <>'],
    ['stages:\n  eval: { with: { split:|', 'value stages.eval.with.split <>'],
    ['stages:\n  eval: { with: { "split": "te|', 'value stages.eval.with.split <te>'],
    ['stages:\n  eval:\n    with:\n      {\n        split: test,\n        me|', 'key stages.eval.with <me>'],
    ['checks:\n  - bleu >= 0.3\n  - ble|', 'open checks.1 <ble>'],
    ['checks:\n- a\n- |', 'open checks.1 <>'],
    ['checks:\n- a\nname: |', 'value name <>'],
    ['checks:\n  - warn: bleu |', 'value checks.0.warn <bleu >'],
    ['checks:\n  - warn: a > 1\n    wh|', 'key checks.0 <wh>'],
    ['checks:\n  - { require: a > 1, na|', 'key checks.0 <na>'],
    ['checks:\n  - bleu |\n  - b', 'open checks.0 <bleu >'],
    ['flow: >-\n  a -> b;\n  c -> |', 'value flow <  a -> b;\n  c -> >'],
    ['flow: >-\n  a -> b\nstages:\n  |', 'open stages <>'],
    ['flow: a -> |', 'value flow <a -> >'],
    ["a: 'x|", 'value a <x>'],
    ["a: 'it''s |", "value a <it''s >"],
    ['a: "x\\" |', 'value a <x\\" >'],
    ['a: 1 # note |', null],
    ['# note |', null],
    ['a: x#y |', 'value a <x#y >'],
    ['a: http://x |', 'value a <http://x >'],
    ['a: &anchor |', 'value a <>'],
    // What somebody forgot to close above does not swallow the rest of the file.
    ['a: { b: 1\nc: |', 'value c <>'],
    ['a: "b\nc: |', 'value c <>'],
    ['s:\n  a: [x,\n  b: |', 'value s.b <>'],
    ['用户: { 名: |', 'value 用户.名 <>'],
    ['a:\r\n  b: 1\r\n  |', 'key a <>'],
  ]
  it.each(table)('%j', (marked, expected) => {
    expect(at(marked)).toBe(expected)
  })

  it('answers something for any text', () => {
    const pieces = fc.constantFrom(
      'a',
      ': ',
      '\n',
      '  ',
      '- ',
      '{',
      '}',
      '[',
      ']',
      ',',
      '"',
      "'",
      '#',
      ' ',
      '|\n',
      '>-\n',
      '&a ',
      '\t',
      '客',
      '\\',
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), fc.nat(60), (words, offset) => {
        const text = words.join('')
        const cursor = cursorAt(text, offset)
        if (cursor === null) return
        expect(cursor.start).toBeLessThanOrEqual(Math.min(offset, text.length))
        expect(cursor.end).toBeGreaterThanOrEqual(Math.min(offset, text.length))
      }),
      { numRuns: 1000 },
    )
  })
})

/** Every scalar with its path. */
function scalars(
  node: Node,
  path: Path,
): readonly { path: Path; start: number; end: number; text: boolean }[] {
  if (node.type === 'map')
    return node.entries.flatMap((entry) => [
      ...scalars(entry.value, [...path, entry.key]).filter(({ start }) => start > entry.keySpan.start),
    ])
  if (node.type === 'list') return node.items.flatMap((item, index) => scalars(item, [...path, index]))
  const { start, end } = node.span
  return node.type === 'scalar' && end > start
    ? [{ path, start, end, text: typeof node.value === 'string' }]
    : []
}

describe('the cursor in a good file', () => {
  const folders = ['pipelines', 'tests/dsl/bad'].map((folder) => join(import.meta.dirname, '../..', folder))
  const files = folders.flatMap((folder) =>
    readdirSync(folder)
      // Slips in the very text (E0xx) are the business of the half-written files above.
      .filter((name) => name.endsWith('.yaml') && !name.startsWith('E0'))
      .map((name) => join(folder, name)),
  )

  it('is where the tree says, at every character of every value', () => {
    let checked = 0
    for (const file of files) {
      const text = readFileSync(file, 'utf8')
      const problems: Diagnostic[] = []
      const tree = readYaml({ path: file, text }, problems)
      // Of a text with slips the reader supposes what was meant, and where.
      if (tree === null || problems.length > 0) continue
      for (const { path, start, end } of scalars(tree, []))
        for (let offset = start + 1; offset <= end; offset++) {
          // After a closing quote the value is over.
          if (/["']/.test(text[start] ?? '') && offset === end) continue
          // In the header of a block scalar there is no text yet.
          const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset)
          if (/[|>]/.test(text[start] ?? '') && (offset <= text.indexOf('\n', start) || line.trim() === ''))
            continue
          const cursor = cursorAt(text, offset)
          // Aliases repeat a value that stands elsewhere.
          if (text[start] === '*' || text.slice(0, start).endsWith('*')) continue
          expect([file, offset, cursor?.path]).toEqual([file, offset, path])
          checked++
        }
    }
    expect(checked).toBeGreaterThan(5000)
  })
})
