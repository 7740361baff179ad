/** However large, deep or odd a file is: an answer in words, in a moment, and never an exhausted stack. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compile } from '../../dsl/compile.ts'
import { decode } from '../../dsl/decode.ts'
import { fixText } from '../../dsl/fix.ts'
import { formatText } from '../../dsl/format/format.ts'
import { readYaml } from '../../dsl/read-yaml.ts'
import { stageKinds } from '../../stages/catalogue.ts'

const HEAD = 'version: 1\nname: t\nmodel: m\ndata: d.jsonl\n'
const MIB = 2 ** 20
/** Half of what a file may have, so that what grows faster than the file would show. */
const LARGE = 2 ** 17

const readable = (text: string): boolean => readYaml({ path: 't', text }, []) !== null

/** A piece, over and over. */
const full = (piece: string, size = LARGE): string => piece.repeat(Math.ceil(size / piece.length))

function nested(levels: number): string {
  return Array.from({ length: levels }, (_, i) => `${' '.repeat(i)}a:\n`).join('')
}

const cases: readonly (readonly [string, string])[] = [
  ['ten megabytes', full('a: 1\n', 10 * MIB)],
  ['keys', full('a: 1\n')],
  ['different keys', Array.from({ length: 10_000 }, (_, i) => `k${i}: 1\n`).join('')],
  ['list', full('- a\n')],
  ['brackets', `a: [${full('x, ')}]`],
  ['opening brackets', full('[')],
  ['opening braces', full('{a: ')],
  ['full-width commas', `x: { ${full('a: 1，')} }`],
  ['dashes', full('- ')],
  ['question marks', full('? ')],
  ['colons', full(': ')],
  ['quotes', full('"')],
  ['comments', full('# c\n')],
  ['blank lines', full('\n')],
  ['anchors', full('- &a x\n')],
  ['aliases', `- &a x\n${full('- *a\n')}`],
  ['broken lines', full('a: b: c\n')],
  ['tags', full('- !t x\n')],
  ['text', `${HEAD}description: ${full('word ')}\n`],
  ['may be a key', `${HEAD}description: ${full('-eyJaaaaaaaaaaa')}\n`],
  ['a block text', `${HEAD}description: |\n${full('  word\n')}`],
  ['keys hundreds of levels deep', nested(500)],
  ['five hundred stages', `${HEAD}stages:\n${stages(500)}`],
  ['a long flow line', `${HEAD}flow: ${full('clean -> ', 50_000)}clean\n`],
  [
    'parentheses',
    `${HEAD}flow: clean\nstages: { clean: { with: { drop: =${'('.repeat(140)}1${')'.repeat(140)} } } }\n`,
  ],
  ['more parentheses', `${HEAD}flow: clean\nstages: { clean: { with: { drop: =${full('(', 20_000)} } } }\n`],
  ['minus signs', `${HEAD}flow: clean\nstages: { clean: { with: { drop: =${'- '.repeat(290)}1 } } }\n`],
]

function stages(count: number): string {
  return Array.from(
    { length: count },
    (_, i) => `  s${i}: { uses: clean, inputs: { data: ${i === 0 ? 'sources.data' : `s${i - 1}`} } }\n`,
  ).join('')
}

/** Generous for a machine that does other things, too; alone, none takes a second. */
const LIMIT_MS = 15_000

describe('a file of', () => {
  it.each(cases)('%s', (_, text) => {
    const start = performance.now()
    const { value, diagnostics } = compile({ path: 't', text }, stageKinds)
    expect(performance.now() - start).toBeLessThan(LIMIT_MS)
    expect(value === undefined).toBe(diagnostics.some((each) => each.severity === 'error'))
  })

  it('ten megabytes says how long it may be', () => {
    const { diagnostics } = compile({ path: 't', text: full('a: 1\n', 10 * MIB) }, stageKinds)
    expect(diagnostics.map((each) => [each.code, each.message.en])).toEqual([
      ['E010', 'the file is too long'],
    ])
  })
})

describe('any bytes', () => {
  it('are decoded, compiled, fixed and formatted without an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const { source, problem } = decode('t', bytes)
        compile(source, stageKinds)
        formatText(source.text)
        if (problem !== null) expect(problem.code).toBe('E019')
      }),
      { numRuns: 500 },
    )
  })

  it('in UTF-8, UTF-16 and with a byte order mark say the same', () => {
    const text = 'version: 1\nname: t\ndescription: 客服\ndata: d.jsonl\nflow: clean\n'
    const encoder = new TextEncoder()
    expect(decode('t', encoder.encode(text))).toEqual({ source: { path: 't', text }, problem: null })
    expect(decode('t', encoder.encode(`\ufeff${text}`))).toEqual({
      source: { path: 't', text },
      problem: null,
    })
    const wide = Buffer.from(`\ufeff${text}`, 'utf16le')
    expect(decode('t', wide)).toMatchObject({ source: { text }, problem: { code: 'E019' } })
    expect(decode('t', wide.swap16())).toMatchObject({ source: { text }, problem: { code: 'E019' } })
  })
})

describe('--fix', () => {
  const pieces = fc.constantFrom(
    '：',
    '，',
    '\t',
    '\u3000',
    '“',
    ' ≥ ',
    '30',
    ' => ',
    '${{ x }}',
    'lora_alpha: 1',
    ':',
    '\n',
    '[',
    '042',
  )
  const text = `${HEAD}flow: clean -> split -> tokenize -> lora-train -> eval -> gate
stages:
  lora-train:
    with: { r: 8, lr: 2e-4 }
  gate:
    baseline: untuned
    checks:
      - bleu >= 0.3
`
  it('comes to an end, never breaks what could be read, and leaves nothing that it could do', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(text.length), pieces), { minLength: 1, maxLength: 4 }),
        (slips) => {
          const broken = slips.reduce(
            (whole, [at, piece]) => whole.slice(0, at) + piece + whole.slice(at),
            text,
          )
          const once = fixText({ path: 't', text: broken }, stageKinds)
          if (readable(broken)) expect(readable(once.text)).toBe(true)
          expect(fixText({ path: 't', text: once.text }, stageKinds).text).toBe(once.text)
        },
      ),
      { numRuns: 150 },
    )
  })
})
