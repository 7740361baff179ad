/** Checks that do not stand in the file are read by the whole compiler, wherever the file's first check stands. */
import { describe, expect, test } from 'vitest'
import { compile } from '../../dsl/compile.ts'
import type { Pipeline } from '../../dsl/pipeline.ts'
import { WHAT_IF } from '../../dsl/source.ts'
import { checkInstead } from '../../dsl/what-if.ts'
import { stageKinds } from '../../stages/catalogue.ts'

function pipelineOf(gate: string): Pipeline {
  const text = `version: 1
name: t
model: m
data: d.jsonl
flow: clean -> split -> tokenize -> lora-train -> eval -> gate
stages:
  split: { with: { train: 80%, validation: 10%, test: 10% } }
  gate: ${gate}
`
  const { value, diagnostics } = compile({ path: 't', text }, stageKinds)
  if (value === undefined) throw new Error(JSON.stringify(diagnostics.map(({ message }) => message)))
  return value
}

const ask = (pipeline: Pipeline, text: string) => checkInstead(pipeline, 'gate', text, stageKinds)
const plain = pipelineOf('{ baseline: untuned, checks: [bleu >= 0.30] }')

describe('the first check may stand in any form', () => {
  test.each([
    ['in brackets', '{ baseline: untuned, checks: [bleu >= 0.30, exact_match > 0] }'],
    ['in a list', '\n    baseline: untuned\n    checks:\n      - bleu >= 0.30\n      - exact_match > 0'],
    ['in quotes', "\n    baseline: untuned\n    checks: ['bleu >= 0.30']"],
    [
      'in the long form',
      '\n    baseline: untuned\n    checks:\n      - require: bleu >= 0.30\n        why: 用户会走',
    ],
    [
      'as a warning beside a required one',
      '\n    baseline: untuned\n    checks:\n      - warn: bleu >= 0.30\n      - bleu >= 0.2',
    ],
    [
      'folded',
      '\n    baseline: untuned\n    checks:\n      - >-\n        bleu\n        >= 0.30\n      - exact_match > 0',
    ],
  ])('%s', (_, gate) => {
    const { value, diagnostics } = ask(pipelineOf(gate), 'bleu > baseline.bleu or rouge_l >= 40%')
    expect(diagnostics).toEqual([])
    expect(value).toMatchObject({
      text: 'bleu > baseline.bleu or rouge_l >= 40%',
      level: 'require',
      name: null,
      why: null,
      span: { source: { path: WHAT_IF } },
    })
  })
})

test('it means what it would mean in the file', () => {
  const { value } = ask(plain, 'perplexity better than baseline by 5%')
  const inFile = pipelineOf('{ baseline: untuned, checks: ["perplexity better than baseline by 5%"] }')
  const written = inFile.stages.find(({ gate }) => gate !== null)?.gate?.checks[0]
  const shape = (expression: unknown) =>
    JSON.parse(
      JSON.stringify(expression, (key, part: unknown) => (/[sS]pan$|^parts$/.test(key) ? undefined : part)),
    ) as unknown
  expect(shape(value?.expression)).toEqual(shape(written?.expression))
})

describe('mistakes are the compiler’s own, and point into the text that was typed', () => {
  test.each([
    ['blue >= 0.3', 'E201', 'blue'],
    ['bleu >= 30', 'E202', '30'],
    ['bleu >=', 'E220', ''],
    ['bleu >= maim.bleu', 'E219', 'maim'],
    ['bleu is "missing"', null, ''],
  ])('%s', (text, code, at) => {
    const { value, diagnostics } = ask(plain, text)
    expect(value).toBeUndefined()
    const [first] = diagnostics
    if (first === undefined) throw new Error('no diagnostic')
    if (code !== null) expect(first.code).toBe(code)
    const { source, start, end } = first.primary.span
    expect(source).toEqual({ path: WHAT_IF, text })
    if (at !== '') expect(text.slice(start, end)).toBe(at)
    expect(end).toBeLessThanOrEqual(text.length)
  })

  test('warnings come along, and what is wrong elsewhere in the file does not', () => {
    const { value, diagnostics } = ask(plain, 'perplexity >= 12')
    expect(value).toBeDefined()
    expect(diagnostics.map(({ code }) => code)).toEqual(['W203'])
    const idle = pipelineOf('{ baseline: untuned, checks: [perplexity >= 12, bleu >= 0.3] }')
    expect(ask(idle, 'bleu >= 0.3').diagnostics).toEqual([])
  })
})
