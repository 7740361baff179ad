/** Compiling: the demo's wiring, parameters, the untuned twin, and that no text whatever makes it throw. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compile } from '../../dsl/compile.ts'
import type { Json, StageSignature } from '../../dsl/stage-signature.ts'
import { stageKinds } from '../../stages/catalogue.ts'

const path = 'pipelines/support-zh.pipeline.yaml'
const demo = readFileSync(join(import.meta.dirname, '../..', path), 'utf8')
const HEAD = 'version: 1\nname: t\nmodel: m\ndata: d.jsonl\n'
const FLOW = 'flow: clean -> split -> tokenize -> lora-train -> eval -> gate\n'
const SPLIT = '  split: { with: { train: 80%, validation: 10%, test: 10% } }\n'
const GATE = '  gate: { baseline: untuned, checks: [bleu >= 0.3] }\n'

function compiled(
  text: string,
  params: Readonly<Record<string, Json>> = {},
  kinds: Readonly<Record<string, StageSignature>> = stageKinds,
) {
  const { value, diagnostics } = compile({ path: 't', text }, kinds, { params })
  if (value === undefined)
    throw new Error(diagnostics.map((each) => `${each.code} ${each.message.en}`).join('\n'))
  const stages = new Map(value.stages.map((stage) => [stage.name, stage]))
  return { value, diagnostics, stages }
}

const codes = (
  text: string,
  params: Readonly<Record<string, Json>> = {},
  kinds: Readonly<Record<string, StageSignature>> = stageKinds,
): readonly string[] => compile({ path: 't', text }, kinds, { params }).diagnostics.map((each) => each.code)

it('keeps the schema of a source, and says nothing where none is written', () => {
  const source = (schema: string) =>
    compiled(
      `version: 1\nname: t\nmodel: m\nsources: { news: { type: dataset, from: n.jsonl${schema} } }\n${FLOW}stages:\n${SPLIT}${GATE}`,
    ).value.sources['news']
  expect(source(', schema: { output: summary, input: article }')?.schema).toEqual({
    input: 'article',
    output: 'summary',
  })
  expect(source(', schema: { input: a, output: b, id: c }')?.schema).toEqual({
    input: 'a',
    output: 'b',
    id: 'c',
  })
  expect(source('')).not.toHaveProperty('schema')
})

describe('the demo', () => {
  it('compiles without a word, and every port is wired as people expect', () => {
    const { value, diagnostics } = compile({ path, text: demo }, stageKinds)
    expect(diagnostics).toEqual([])
    const wiring = (value?.stages ?? []).flatMap((stage) =>
      Object.entries(stage.inputs).map(
        ([port, from]) =>
          `${stage.name}.${port} <- ${from.type === 'source' ? `sources.${from.source}` : `${from.stage}.${from.port}`}`,
      ),
    )
    expect(wiring.sort()).toEqual([
      'clean.data <- sources.data',
      'eval-base.model <- pretrain.model',
      'eval-base.tokens <- tokenize.tokens',
      'eval.adapter <- lora-train.adapter',
      'eval.model <- pretrain.model',
      'eval.tokens <- tokenize.tokens',
      'gate.metrics <- eval.metrics',
      'lora-train.model <- pretrain.model',
      'lora-train.tokens <- tokenize.tokens',
      'pretrain.corpus <- sources.handbook',
      'split.data <- clean.data',
      'tokenize.data <- split.data',
      'tokenize.model <- pretrain.model',
    ])
    const gate = value?.stages.find((stage) => stage.name === 'gate')
    expect(gate?.gate).toMatchObject({ judged: 'eval', baseline: 'eval-base' })
    expect(gate?.after).toEqual(['eval-base'])
    const order = value?.stages.map((stage) => stage.name) ?? []
    for (const stage of value?.stages ?? [])
      for (const from of Object.values(stage.inputs))
        if (from.type === 'stage') expect(order.indexOf(from.stage)).toBeLessThan(order.indexOf(stage.name))
  })

  it('has one new message for one new mistake', () => {
    const broken = demo.replace('    baseline: eval-base\n', '    baseline: eval-bse\n')
    expect(broken).not.toBe(demo)
    expect(compile({ path, text: broken }, stageKinds).diagnostics.map((each) => each.code)).toContain('E110')
  })
})

describe('values', () => {
  const params = 'params:\n  lr: { default: 1e-4, range: 1e-6..1e-2 }\n  epochs: { default: 2, type: int }\n'
  const text = `${HEAD}${params}${FLOW}stages:\n${SPLIT}${GATE}  lora-train: { with: { lr: =params.lr * 2, epochs: =params.epochs } }\n`

  it('come from defaults and from -p', () => {
    expect(compiled(text).stages.get('lora-train')?.with).toMatchObject({ lr: 2e-4, epochs: 2, r: 8 })
    const overridden = compiled(text, { lr: '1e-3', epochs: 5 })
    expect(overridden.stages.get('lora-train')?.with).toMatchObject({ lr: 2e-3, epochs: 5 })
    expect(overridden.value.params).toEqual({ lr: 1e-3, epochs: 5 })
  })

  it.each([
    [{ rate: 1 }, 'E105'],
    [{ lr: 1 }, 'E103'],
    [{ lr: 'fast' }, 'E109'],
    [{ epochs: 1.5 }, 'E109'],
  ])('%j is refused', (given, code) => {
    expect(codes(text, given)).toEqual([code])
  })

  it('convert units', () => {
    expect(compiled(text).stages.get('split')?.with).toMatchObject({ train: 0.8, test: 0.1 })
    const timed = compiled(text.replace('stages:', 'defaults: { timeout: 2h, cache: off }\nstages:'))
    expect(timed.stages.get('eval')).toMatchObject({ timeoutMs: 7_200_000, cache: 'off' })
  })

  it('know where each option was written', () => {
    const span = compiled(text).stages.get('lora-train')?.optionSpans['lr']
    expect(text.slice(span?.start, span?.end)).toBe('=params.lr * 2')
  })

  it('say which required option is missing', () => {
    const kind: StageSignature = {
      name: 'copy',
      version: '1.0.0',
      summary: '',
      options: {
        type: 'object',
        properties: { to: { type: 'string' }, size: { type: 'number', 'x-type': 'bytes' } },
        required: ['to'],
      },
      inputs: {},
      outputs: () => ({}),
    }
    expect(codes('version: 1\nname: t\nflow: copy\n', {}, { copy: kind })).toEqual(['E122'])
    const sized = 'version: 1\nname: t\nflow: copy\nstages: { copy: { with: { to: x, size: 16GB } } }\n'
    expect(compiled(sized, {}, { copy: kind }).stages.get('copy')?.with['size']).toBe(16e9)
    expect(codes(sized.replace('16GB', '16'), {}, { copy: kind })).toEqual(['E104'])
  })
})

describe('wiring', () => {
  it('adds the untuned twin: same options, no adapter', () => {
    const { stages } = compiled(`${HEAD}${FLOW}stages:\n${SPLIT}${GATE}`)
    const twin = stages.get('untuned')
    expect(twin).toMatchObject({ uses: 'eval', synthesised: true })
    expect(Object.keys(twin?.inputs ?? {}).sort()).toEqual(['model', 'tokens'])
    expect(twin?.with).toEqual(stages.get('eval')?.with)
    expect(stages.get('gate')?.after).toEqual(['untuned'])
  })

  it('takes a stage called untuned if there is one', () => {
    const own =
      '  untuned: { uses: eval, inputs: { adapter: none, model: sources.model, tokens: tokenize } }\n'
    const { stages } = compiled(`${HEAD}${FLOW}stages:\n${SPLIT}${GATE}${own}`)
    expect(stages.get('untuned')?.synthesised).toBe(false)
  })

  it('keeps corpus and dataset apart', () => {
    const sources = 'sources: { book: { type: corpus, from: b.txt } }\n'
    expect(codes(`version: 1\nname: t\ndata: d.jsonl\nflow: pretrain\n`)).toEqual(['E115'])
    expect(codes(`version: 1\nname: t\n${sources}flow: clean\n`)).toEqual(['E115'])
    expect(codes(`version: 1\nname: t\n${sources}flow: pretrain\n`)).toEqual([])
  })

  it('leaves the adapter port open after a stage that merged it', () => {
    const merge: StageSignature = {
      name: 'merge',
      version: '1.0.0',
      summary: '',
      options: { type: 'object', additionalProperties: false },
      inputs: { model: { type: 'model', help: '' }, adapter: { type: 'adapter', help: '' } },
      outputs: () => ({ model: 'model' }),
    }
    const kinds = { ...stageKinds, merge }
    const flow = 'flow: clean -> split -> tokenize -> lora-train -> merge -> eval\n'
    const { stages, diagnostics } = compiled(`${HEAD}${flow}stages:\n${SPLIT}`, {}, kinds)
    expect(diagnostics).toEqual([])
    expect(stages.get('eval')?.inputs).toMatchObject({ model: { stage: 'merge' } })
    expect(stages.get('eval')?.inputs['adapter']).toBeUndefined()
    const explicit = `${HEAD}${flow}stages:\n${SPLIT}  eval: { inputs: { adapter: lora-train.adapter } }\n`
    expect(codes(explicit, {}, kinds)).toEqual(['E116'])
  })

  it('orders what follows a gate', () => {
    const text = `${HEAD}${FLOW.trim()} -> clean-again\nstages:\n${SPLIT}${GATE}  clean-again: { uses: clean, inputs: { data: sources.data } }\n`
    const { stages, diagnostics } = compiled(text)
    expect(diagnostics).toEqual([])
    expect(stages.get('clean-again')?.after).toEqual(['gate'])
  })
})

describe('train.x in a check', () => {
  const file = (stages: string, check: string) =>
    `${HEAD}flow: clean -> split -> tokenize -> tuning -> [eval, train] -> gate\nstages:\n${SPLIT}  tuning: { uses: lora-train }\n  train: ${stages}\n  gate: { metrics: eval, checks: [bleu >= 0.3, ${check}] }\n`

  it('means the training behind the judged stage', () => {
    const text = `${HEAD}${FLOW}stages:\n${SPLIT}  gate: { checks: [bleu >= 0.3, train.loss <= 2] }\n`
    expect(compiled(text).stages.get('gate')?.gate?.facts.train).toEqual(['lora-train'])
  })

  it('means a stage of that name if it says something', () => {
    const untuned = '{ uses: eval, inputs: { adapter: none } }'
    expect(compiled(file(untuned, 'bleu > train.bleu')).stages.get('gate')?.gate?.facts.train).toEqual([])
    expect(codes(file(untuned, 'train.loss <= 2'))).toContain('E201')
  })
})

describe('any text', () => {
  const pieces = fc.constantFrom(
    ...[
      'version: 1\n',
      'name: t\n',
      FLOW,
      'stages:\n',
      SPLIT,
      GATE,
      '  eval:\n',
      '    with: ',
      '    checks:\n',
      '      - ',
      'bleu',
    ],
    ...[
      ' >= ',
      'baseline',
      '=params.',
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
      '!',
      '<<: ',
      '|\n',
      '>-\n',
    ],
    ...[
      '${{ x }}',
      '->',
      ',',
      '(',
      ')',
      '与',
      '😀',
      '\u0000',
      '\\u',
      '.inf',
      '1e999',
      '---\n',
      '#',
      '__proto__: ',
      'constructor',
      '?? ',
    ],
  )
  const check = (text: string): void => {
    const { value, diagnostics } = compile({ path: 't', text }, stageKinds)
    const failed = diagnostics.some((each) => each.severity === 'error')
    expect(value === undefined).toBe(failed)
    const places = diagnostics.map((each) => each.primary.span)
    for (const { start, end } of places) {
      expect(start).toBeGreaterThanOrEqual(0)
      expect(end).toBeGreaterThanOrEqual(start)
      expect(start).toBeLessThanOrEqual(text.length)
    }
    expect(places.map((each) => each.start)).toEqual(places.map((each) => each.start).sort((a, b) => a - b))
  }

  it('never throws', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 80 }), check), { numRuns: 300 })
  })

  it('never throws for pieces of the language', () => {
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 25 }), (words) => {
        check(words.join(''))
      }),
      { numRuns: 600 },
    )
  })

  it('never throws for the demo with something else in the middle', () => {
    fc.assert(
      fc.property(fc.nat(demo.length), fc.nat(30), fc.array(pieces, { maxLength: 3 }), (at, cut, words) => {
        check(demo.slice(0, at) + words.join('') + demo.slice(at + cut))
      }),
      { numRuns: 250 },
    )
  })
})
