/** Whatever stands in a file and wherever the cursor is: an answer, and never an exception. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { completionsAt } from '../../editor/completion.ts'
import { NO_FACTS } from '../../editor/facts.ts'
import { hoverAt } from '../../editor/hover.ts'
import { definitionAt, referencesAt } from '../../editor/navigate.ts'
import { fixesIn, problemsOf } from '../../editor/problems.ts'
import { renameAt } from '../../editor/rename.ts'
import { symbolsOf } from '../../editor/symbols.ts'
import { FILE, GOOD, viewOf } from './looking.ts'

const pieces = fc.constantFrom(
  ...[
    'stages:\n',
    '  eval:\n',
    '    with: ',
    '    checks:\n',
    '      - ',
    'bleu',
    ' >= ',
    'baseline',
    '.',
    '=params.',
    'flow: ',
  ],
  ...[
    '"',
    "'",
    '[',
    ']',
    '{',
    '}',
    ': ',
    '\n',
    '\t',
    '*a',
    '&a ',
    '!x ',
    '<<: ',
    '|\n',
    '>-\n',
    '${{ x }}',
    '->',
    ',',
    '(',
  ],
  ...[
    '客',
    '😀',
    '\u0000',
    '\r\n',
    '---\n',
    '#',
    '__proto__: ',
    'constructor',
    '?? ',
    '- ',
    '    matrix: { r: [1] }\n',
    'none',
    '0',
  ],
)

function everything(text: string, offset: number): void {
  const before = viewOf(GOOD)
  const view = viewOf(text, FILE, before)
  const look = { view, facts: NO_FACTS, language: 'zh' } as const
  for (const { textEdit } of completionsAt(look, offset)) {
    const { start, end } = textEdit.range
    expect(view.document.offsetAt(start)).toBeLessThanOrEqual(view.document.offsetAt(end))
    // An editor drops an edit that does not hold the cursor's line.
    expect(start.line).toBeLessThanOrEqual(view.document.positionAt(offset).line)
  }
  hoverAt(look, offset)
  definitionAt(view, offset)
  referencesAt(view, offset, true)
  renameAt(view, offset, 'another-name')
  symbolsOf(view)
  const position = view.document.positionAt(offset)
  for (const { range } of problemsOf(view, 'en', () => null))
    expect(view.document.offsetAt(range.start)).toBeLessThanOrEqual(view.document.offsetAt(range.end))
  fixesIn(view, { start: position, end: position }, 'en', () => null)
}

it('of pieces of the language', () => {
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 25 }), fc.nat(200), (words, at) => {
      const text = words.join('')
      everything(text, Math.min(at, text.length))
    }),
    { numRuns: 300 },
  )
})

it('of a good file with something else in the middle', () => {
  fc.assert(
    fc.property(
      fc.nat(GOOD.length),
      fc.nat(30),
      fc.array(pieces, { maxLength: 3 }),
      fc.nat(10),
      (at, cut, words, back) => {
        const typed = words.join('')
        const text = GOOD.slice(0, at) + typed + GOOD.slice(at + cut)
        everything(text, Math.min(text.length, Math.max(0, at + typed.length - back)))
      },
    ),
    { numRuns: 150 },
  )
})
