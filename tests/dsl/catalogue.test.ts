/** The catalogue explains exactly the codes that the compiler can say, and its examples are what they claim to be. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { catalogue } from '../../dsl/catalogue.ts'
import { compile } from '../../dsl/compile.ts'
import { inLanguage, LANGUAGES } from '../../dsl/words.ts'
import { stageKinds } from '../../stages/catalogue.ts'

it('explains every code, and no other', () => {
  const folder = join(import.meta.dirname, '../../dsl/problems')
  const text = readdirSync(folder)
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('')
  const codes = new Set([...text.matchAll(/'([EW]\d{3})'/g)].map((match) => match[1]))
  expect(Object.keys(catalogue).sort()).toEqual([...codes].sort())
})

it.each(Object.entries(catalogue))('%s says all four things in both languages', (_, explanation) => {
  for (const language of LANGUAGES) {
    const { meaning, wrong, right, why } = explanation
    for (const text of [meaning, wrong, right, why]) expect(inLanguage(text, language)).not.toBe('')
    expect(inLanguage(wrong, language)).not.toBe(inLanguage(right, language))
  }
})

/** A whole file around an example; null for those that are more than a line of one. */
function fileAround(example: string): string | null {
  const option = /^(?:lora_alpha|alpha|lr|dropout|r|schedule|seed): /.test(example)
    ? example
    : example.startsWith('=')
      ? `r: ${example}`
      : null
  const check = example.startsWith('- ') ? example : null
  if (option === null && check === null) return null
  return `version: 1
name: demo
model: models/base
data: data/*.jsonl
params: { lr: 2e-4, smoke: false, parts: 1 }
flow: clean -> split -> tokenize -> lora-train -> eval -> gate
stages:
  lora-train:
    with:
      ${option ?? 'r: 8'}
  gate:
    baseline: untuned
    checks:
      - exact_match >= 0.1
      ${check ?? '- bleu >= 0.3'}
`
}

describe('examples', () => {
  const examples = Object.entries(catalogue).flatMap(([code, { wrong, right }]) => {
    const files = [wrong, right].map((each) => fileAround(inLanguage(each, 'en')))
    return files[0] == null || files[1] == null ? [] : [[code, files[0], files[1]] as const]
  })

  it('are many', () => {
    expect(examples.length).toBeGreaterThan(25)
  })

  it.each(examples)('of %s: the wrong one causes it, the right one says nothing', (code, wrong, right) => {
    const codes = (text: string): readonly string[] =>
      compile({ path: 't', text }, stageKinds).diagnostics.map((each) => each.code)
    expect(codes(wrong)).toEqual([code])
    expect(codes(right)).toEqual([])
  })
})
