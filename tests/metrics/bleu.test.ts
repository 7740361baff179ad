import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  BLEU_COLUMNS,
  bleuSignature,
  bleuStats,
  corpusBleu,
  sentenceBleu,
  sumBleuStats,
} from '../../metrics/bleu.ts'
import { BLEU_TOKENIZERS, bleuTokens, type BleuTokenizer } from '../../metrics/bleu-tokenizers.ts'

interface Measured {
  readonly corpus: number
  readonly statistics: readonly number[]
  readonly sentences: readonly number[]
  /** Tokens with one blank between them. */
  readonly tokens: readonly string[]
  readonly referenceTokens: readonly string[]
}
interface Fixture {
  readonly sacrebleu: string
  readonly corpora: Record<
    string,
    { readonly rows: readonly [string, string][]; readonly scores: Record<BleuTokenizer, Measured> }
  >
}

const fixture = JSON.parse(
  readFileSync(new URL('../fixtures/sacrebleu.json', import.meta.url), 'utf8'),
) as Fixture

test('the fixture was made by the version that the signature names', () => {
  expect(bleuSignature('zh')).toBe(
    `nrefs:1|case:mixed|eff:no|tok:zh|smooth:exp|like:sacrebleu-${fixture.sacrebleu}`,
  )
})

describe.each(Object.entries(fixture.corpora))('%s', (_, corpus) => {
  test.each(BLEU_TOKENIZERS)('%s equals sacreBLEU', (tokenizer) => {
    const wanted = corpus.scores[tokenizer]
    expect(corpus.rows.map(([output]) => bleuTokens(tokenizer, output).join(' '))).toEqual(wanted.tokens)
    expect(corpus.rows.map(([, reference]) => bleuTokens(tokenizer, reference).join(' '))).toEqual(
      wanted.referenceTokens,
    )
    const rows = corpus.rows.map(([output, reference]) => bleuStats(output, reference, tokenizer))
    expect(sumBleuStats(rows)).toEqual(wanted.statistics)
    expect(Math.abs(corpusBleu(rows) - wanted.corpus / 100)).toBeLessThan(1e-9)
    rows.forEach((row, index) =>
      expect(Math.abs(sentenceBleu(row) - wanted.sentences[index]! / 100)).toBeLessThan(1e-9),
    )
  })
})

test('the fixture reaches every branch: zero, one, and in between', () => {
  const values = Object.values(fixture.corpora).flatMap(({ scores }) =>
    BLEU_TOKENIZERS.map((t) => scores[t].corpus),
  )
  expect(values.some((value) => value === 0)).toBe(true)
  expect(values.filter((value) => value > 0 && value < 99).length).toBeGreaterThan(30)
})

const text = fc.string({ unit: fc.constantFrom(...'ab c.,1-"&。的是“'), maxLength: 40 })
const rowsOfText = fc.array(fc.tuple(text, text), { maxLength: 6 })

test('a score lies in 0..1 and identical texts of four tokens or more score exactly 1', () => {
  fc.assert(
    fc.property(rowsOfText, fc.constantFrom(...BLEU_TOKENIZERS), (rows, tokenizer) => {
      const stats = rows.map(([output, reference]) => bleuStats(output, reference, tokenizer))
      for (const value of [corpusBleu(stats), ...stats.map(sentenceBleu)]) {
        expect(value).toBeGreaterThanOrEqual(0)
        expect(value).toBeLessThanOrEqual(1)
      }
      const same = rows.map(([output]) => bleuStats(output, output, tokenizer))
      const longest = Math.max(0, ...same.map((row) => row[0]!))
      expect(corpusBleu(same)).toBe(longest >= 4 ? 1 : 0)
    }),
  )
})

test('rows may come in any order and no rows give zero', () => {
  fc.assert(
    fc.property(rowsOfText, (rows) => {
      const stats = rows.map(([output, reference]) => bleuStats(output, reference, 'zh'))
      expect(stats.every((row) => row.length === BLEU_COLUMNS)).toBe(true)
      expect(corpusBleu([...stats].reverse())).toBe(corpusBleu(stats))
    }),
  )
  expect(corpusBleu([])).toBe(0)
})
