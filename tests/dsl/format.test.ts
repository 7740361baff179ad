/** Formatting: one layout, the same meaning, no comment lost, and nothing left to do the second time. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compile } from '../../dsl/compile.ts'
import { fixText } from '../../dsl/fix.ts'
import { formatText } from '../../dsl/format/format.ts'
import type { Pipeline } from '../../dsl/pipeline.ts'
import { readYaml } from '../../dsl/read-yaml.ts'
import type { Json } from '../../dsl/stage-signature.ts'
import { plainValue } from '../../dsl/tree.ts'
import { stageKinds } from '../../stages/catalogue.ts'

const root = join(import.meta.dirname, '../..')
const pipelines = readdirSync(join(root, 'pipelines'))
  .filter((file) => file.endsWith('.pipeline.yaml'))
  .map((file) => ({ file, text: readFileSync(join(root, 'pipelines', file), 'utf8') }))

function valueOf(text: string): Json {
  const node = readYaml({ path: '', text }, [])
  return node === null ? null : plainValue(node)
}

function comments(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => /(?:^|\s)(#[^"']*)$/.exec(line)?.[1]?.trimEnd() ?? [])
}

describe('the layout', () => {
  it('is that of our own pipelines', () => {
    expect(pipelines.length).toBeGreaterThan(1)
    for (const { file, text } of pipelines) expect(formatText(text), file).toBe(text)
  })

  it('has two spaces a level, one blank line, spaces in braces, double quotes', () => {
    const messy = [
      '',
      '# what it is for',
      '',
      'version: 1',
      'name: x',
      'stages:',
      '    eval:      # the judge',
      "        uses: 'eval'",
      '',
      '',
      '        with: {metrics:[bleu,rouge_l] ,split:   test,}   ',
      '    # about training',
      '    lora-train:',
      '      with:',
      '            r:   8',
      '            target:',
      '            - q_proj',
      '            # the second',
      '            -   k_proj',
      '      # end of training',
      '    tokenize:',
      '      with:',
      '        template: |+',
      '              问：{prompt}',
      '                答：{response}',
      '',
      '    gate:',
      '      checks:',
      '      -   require: bleu > 1',
      '          name: \'it said "yes"\'',
      '      - warn: >-',
      '            bleu',
      '            >= 3',
      'notify: a -> b;',
      '      c -> d',
      '',
      '',
    ]
    expect(formatText(messy.join('\r\n')).split('\n')).toEqual([
      '# what it is for',
      '',
      'version: 1',
      'name: x',
      'stages:',
      '  eval:      # the judge',
      '    uses: "eval"',
      '',
      '    with: { metrics: [bleu, rouge_l], split: test }',
      '  # about training',
      '  lora-train:',
      '    with:',
      '      r:   8',
      '      target:',
      '        - q_proj',
      '        # the second',
      '        - k_proj',
      '    # end of training',
      '  tokenize:',
      '    with:',
      '      template: |+',
      '        问：{prompt}',
      '          答：{response}',
      '',
      '  gate:',
      '    checks:',
      '      - require: bleu > 1',
      '        name: \'it said "yes"\'',
      '      - warn: >-',
      '          bleu',
      '          >= 3',
      'notify: a -> b;',
      '      c -> d',
      '',
    ])
  })

  it('puts keys in order with the comments above them', () => {
    const text = `version: 1
name: x
# where it goes
flow: clean

# what comes in
data: d.jsonl
stages:
  clean:
    # rows
    with: { drop: [blank] } # only these
    uses: clean
`
    // The comment of the first key could be about all of them, so that stage stays as it is.
    expect(formatText(text)).toBe(`version: 1
name: x
# what comes in
data: d.jsonl

# where it goes
flow: clean
stages:
  clean:
    # rows
    with: { drop: [blank] } # only these
    uses: clean
`)
  })

  it.each([
    ['a comment that belongs to nobody', 'name: x\n\n# loose\n\nversion: 1\nflow: a\n'],
    ['a heading', '# heading\nname: x\nversion: 1\n'],
    ['an anchor that is read later', 'name: &n x\nversion: 1\ndescription: *n\n'],
    ['a key that is not ours', 'name: x\nmine: 1\nversion: 1\n'],
  ])('leaves the order alone for %s', (_, text) => {
    expect(formatText(text)).toBe(text)
  })

  it.each([
    ['what YAML cannot read', 'a: [1,\nb:   2\n'],
    ['several documents', 'a:   1\n---\nb:   2\n'],
    ['a list at the root', '-   a\n'],
    ['explicit keys', '? a\n: 1\nb:\n    c: 1\n'],
  ])('leaves %s alone', (_, text) => {
    expect(formatText(text)).toBe(text)
  })
})

/** Prints a value in any of the ways that YAML allows and people use. */
const styled = (value: Json): fc.Arbitrary<string> =>
  fc.infiniteStream(fc.nat(1000)).map((stream) => {
    const next = (most: number): number => (stream.next().value as number) % most
    const space = (): string => ' '.repeat(next(3))
    const remark = (): string => (next(6) === 0 ? ` # r${next(9)}` : '')
    const above = (indent: number): string =>
      (next(5) === 0 ? '\n' : '') + (next(6) === 0 ? `${' '.repeat(indent)}# c${next(9)}\n` : '')
    const scalar = (each: Json, flow: boolean): string => {
      if (typeof each !== 'string') return JSON.stringify(each)
      const plain =
        /^[\w\u4e00-\u9fff][\w\u4e00-\u9fff./ -]*$/.test(each) && !/^[\d.]|\s$|^(true|false|null)$/.test(each)
      if (plain && (!flow || !each.includes(',')) && next(3) > 0) return each
      return next(2) === 0 && !/[\n\\]/.test(each) ? `'${each.replaceAll("'", "''")}'` : JSON.stringify(each)
    }
    const flow = (each: Json): string => {
      if (Array.isArray(each))
        return `[${space()}${each.map((item: Json) => flow(item) + space()).join(`,${space()}`)}]`
      if (typeof each === 'object' && each !== null)
        return `{${space()}${Object.entries(each)
          .map(([key, item]) => `${key}: ${space()}${flow(item)}${space()}`)
          .join(`,${space()}`)}}`
      return scalar(each, true)
    }
    const block = (each: Json, indent: number): string => {
      const pad = ' '.repeat(indent)
      if (Array.isArray(each))
        return each
          .map((item: Json) => {
            const dash = `${above(indent)}${pad}-${' '.repeat(1 + next(3))}`
            return isEmptyOrScalar(item) || next(2) === 0
              ? `${dash}${flow(item)}${remark()}\n`
              : `${above(indent)}${pad}-\n${block(item, indent + 1 + next(4))}`
          })
          .join('')
      return Object.entries(each as Readonly<Record<string, Json>>)
        .map(([key, item]) => {
          const head = `${above(indent)}${pad}${key}:`
          if (
            typeof item === 'string' &&
            /\n/.test(item) &&
            item.endsWith('\n') &&
            !/^\s|\n\n$/.test(item) &&
            next(2) === 0
          ) {
            const inner = ' '.repeat(indent + 1 + next(4))
            return `${head} |\n${item
              .trimEnd()
              .split('\n')
              .map((line) => (line === '' ? '' : inner + line))
              .join('\n')}\n`
          }
          if (isEmptyOrScalar(item) || next(3) === 0) return `${head} ${space()}${flow(item)}${remark()}\n`
          const deeper = Array.isArray(item) && next(3) === 0 ? indent : indent + 1 + next(5)
          return `${head}${remark()}\n${block(item, deeper)}`
        })
        .join('')
    }
    return block(value, 0)
  })

function isEmptyOrScalar(value: Json): boolean {
  return typeof value !== 'object' || value === null || Object.keys(value).length === 0
}

const KEYS = [
  'version',
  'name',
  'flow',
  'stages',
  'data',
  'uses',
  'with',
  'checks',
  'inputs',
  'clean',
  '评测',
  'a_b',
]
const anyValue: fc.Arbitrary<Json> = fc.letrec<{ node: Json; map: Json; list: Json }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(
      fc.integer({ min: -99, max: 99 }),
      fc.boolean(),
      fc.constantFrom(
        'bleu',
        'a -> b',
        '80%',
        'data/*.jsonl',
        '=params.lr * 2',
        "it's",
        'say "no"',
        'x: y',
        '#1',
        ' lead',
        '一\n二\n',
        'a\n\n  b\n',
        '',
        'null',
      ),
    ),
    tie('map'),
    tie('list'),
  ),
  map: fc.dictionary(fc.constantFrom(...KEYS), tie('node'), { minKeys: 1, maxKeys: 5 }),
  list: fc.array(tie('node'), { minLength: 1, maxLength: 4 }),
})).map

describe('any file', () => {
  it('keeps its meaning and its comments, and is done after once', () => {
    let moved = 0
    fc.assert(
      fc.property(
        anyValue.chain((value) => styled(value).map((text) => ({ value, text }))),
        ({ value, text }) => {
          expect(valueOf(text)).toEqual(value)
          const once = formatText(text)
          expect(valueOf(once)).toEqual(value)
          expect([...comments(once)].sort()).toEqual([...comments(text)].sort())
          expect(formatText(once)).toBe(once)
          // Indentation by something else than two shows that the layout was applied at all.
          for (const line of once.split('\n'))
            if (/^ *[\w-]+:/.test(line) && !once.includes('|'))
              expect(/^ */.exec(line)?.[0].length ?? 0).toSatisfy((n: number) => n % 2 === 0)
          if (once !== text) moved++
        },
      ),
      { numRuns: 200 },
    )
    expect(moved).toBeGreaterThan(100)
  })

  it('compiles to the same pipeline in any layout', () => {
    for (const { file, text } of pipelines) {
      const plain = valueOf(text)
      fc.assert(
        fc.property(styled(plain), (styledText) => {
          const [first, ...others] = [
            text,
            styledText,
            formatText(styledText),
            text.replaceAll('\n', '\r\n'),
          ].map((each) => meaningOf(file, each))
          expect(first).not.toBeNull()
          for (const other of others) expect(other).toEqual(first)
        }),
        { numRuns: 15 },
      )
    }
  })

  it('never throws, whatever stands in the middle, and is done after once', () => {
    const demo = pipelines.map(({ text }) => text).join('')
    const pieces = fc.constantFrom(
      '\t',
      ' ',
      '\n',
      '- ',
      ': ',
      '#',
      '{',
      '[',
      ']',
      '"',
      "'",
      '|\n',
      '>-\n',
      '&a ',
      '*a',
      '! ',
      '? ',
      '---\n',
      '\r\n',
      '\u3000',
      ',',
    )
    fc.assert(
      fc.property(fc.nat(demo.length), fc.nat(40), fc.array(pieces, { maxLength: 4 }), (at, cut, words) => {
        const from = Math.max(0, at - 600)
        const text = demo.slice(from, at) + words.join('') + demo.slice(at + cut, at + 900)
        const once = formatText(text)
        expect(formatText(once)).toBe(once)
        if (readYaml({ path: '', text }, []) !== null) expect(valueOf(once)).toEqual(valueOf(text))
      }),
      { numRuns: 200 },
    )
  })
})

/** The pipeline without the places where things were written. */
function meaningOf(path: string, text: string): unknown {
  const { value } = compile({ path, text }, stageKinds)
  return JSON.parse(
    JSON.stringify(value ?? null, (key, each: unknown) =>
      [
        'span',
        'parts',
        'nameSpan',
        'operatorSpan',
        'withSpan',
        'fieldSpan',
        'optionSpans',
        'source',
      ].includes(key)
        ? undefined
        : each,
    ),
  ) as Pipeline
}

describe('--fix', () => {
  const HEAD = 'version: 1\nname: demo\nmodel: models/base\ndata: data/*.jsonl\n'
  const FLOW = 'flow: clean -> split -> tokenize -> lora-train -> eval -> gate\n'
  const fixed = (text: string): string => fixText({ path: 'demo.pipeline.yaml', text }, stageKinds).text

  it('puts right what can only mean one thing', () => {
    const text = `version：1
name: demo
model: models/base
data:data/*.jsonl
flow：clean => split -> tokenize -> lora-train -> eval -> gate
stage:
  split: { with: { train：80%，test：20% } }
  lora-train:
    with: {lora_alpha: 16, r:8, seed: 042, learning_rate: "\${{ 2e-4 * 2 }}"}
  eval:
\twith: { metrics: ［bleu，rouge_l］ }
  gate:
    baseline: untuned
    checks:
      - bleu >= 30
      - bleu ≥ ０．３ && rouge_l ＞＝ 0.2
      - rouge_l: > 0.1
`
    const { text: result, left } = fixText({ path: 'demo.pipeline.yaml', text }, stageKinds)
    expect(formatText(result)).toBe(`version: 1
name: demo
model: models/base
data: data/*.jsonl
flow: clean -> split -> tokenize -> lora-train -> eval -> gate
stages:
  split: { with: { train: 80%, test: 20% } }
  lora-train:
    with: { alpha: 16, r: 8, seed: 42, lr: =2e-4 * 2 }
  eval:
    with: { metrics: [bleu, rouge_l] }
  gate:
    baseline: untuned
    checks:
      - bleu >= 30%
      - bleu >= 0.3 and rouge_l >= 0.2
      - rouge_l > 0.1
`)
    expect(left).toEqual([])
  })

  it('does not rename onto a key that is there', () => {
    const text = `${HEAD}${FLOW}stages:\n  lora-train: { with: { alpha: 8, lora_alpha: 16 } }\n  gate: { baseline: untuned, checks: [bleu >= 0.3] }\n`
    expect(fixed(text)).toBe(text)
  })

  it('leaves alone what may mean something else', () => {
    const text = `${HEAD}${FLOW}stages:\n  lora-train: { with: { lr: 2-e4, schedule: cosin, epochs: three } }\n  gate: { baseline: untuned, checks: [bleu = 0.3] }\n`
    expect(fixed(text)).toBe(text)
  })

  it('leaves full-width signs alone where they belong to a text', () => {
    const text = `version：1
name：demo
description：客服，问答（中文）：“怎么办”
model：models/base
data：data/*.jsonl
${FLOW}`
    expect(fixed(text)).toBe(`version: 1
name: demo
description: 客服，问答（中文）：“怎么办”
model: models/base
data: data/*.jsonl
${FLOW}`)
    const inBraces = `${HEAD}${FLOW}stages:\n  gate: { baseline: untuned, checks: [{ require：bleu >= 0.3, why：太低，不行 }] }\n`
    expect(fixed(inBraces)).toContain('{ require: bleu >= 0.3, why: 太低，不行 }')
  })

  it('quotes what needs quotes', () => {
    const text = `${HEAD}flow: [clean] -> split -> tokenize\nstages:\n  tokenize:\n    with:\n      template: 用户: {prompt} 答: {response}\n`
    expect(fixed(text)).toContain('flow: "[clean] -> split -> tokenize"')
    expect(fixed(text)).toContain('template: "用户: {prompt} 答: {response}"')
  })

  const FILE = `${HEAD}${FLOW}stages:\n`
  const GATE = '  gate: { baseline: untuned, checks: [bleu >= 0.3] }\n'

  it.each([
    ['with：{ train: 75%, test: 25% }', 'with: { train: 75%, test: 25% }'],
    ['with: ｛ train: 75%, test: 25% ｝', 'with: { train: 75%, test: 25% }'],
    ['with: ｛train：75%，test：25%｝', 'with: {train: 75%, test: 25%}'],
    ['with: { train: 0.75， test: 0.25 }', 'with: { train: 0.75, test: 0.25 }'],
    ['with: { train: 0。75，test: 25% }', 'with: { train: 0.75, test: 25% }'],
    ['with:　{ train: 75%, test: 25% }', 'with: { train: 75%, test: 25% }'],
    [
      'with: {\n      train: 75%，\n      test: 25%\n    }',
      'with: {\n      train: 75%,\n      test: 25%\n    }',
    ],
    ['with: { train: “75%”, test: 25% }', 'with: { train: "75%", test: 25% }'],
  ])('in a stage, the signs of a Chinese keyboard: %s', (slip, right) => {
    const text = `${FILE}  split:\n    ${slip}\n${GATE}`
    const result = fixText({ path: 'demo.pipeline.yaml', text }, stageKinds)
    expect(result.text).toBe(`${FILE}  split:\n    ${right}\n${GATE}`)
    expect(result.left).toEqual([])
  })

  it.each([
    ['a text block', '      template: |\n        Q：{prompt}，｛ A：｝\n      max_length: a: b'],
    ['a quoted text', '      template: "Q：{prompt}，｛a：b｝"\n      max_length: a: b'],
  ])('leaves the signs of %s alone, also where YAML cannot read the line below', (_, lines) => {
    const text = `${FILE}  tokenize:\n    with:\n${lines}\n${GATE}`
    expect(fixed(text)).toBe(text)
  })

  it.each([
    ['model: hf: ORG/NAME', 'model: hf:ORG/NAME'],
    ['model: hf：ORG/NAME', 'model: hf:ORG/NAME'],
    ['model: hf://ORG/NAME', 'model: hf:ORG/NAME'],
    ['model: HF:ORG/NAME', 'model: hf:ORG/NAME'],
    ['model: https://huggingface.co/ORG/NAME', 'model: hf:ORG/NAME'],
    ['model: https://huggingface.co/ORG/NAME/tree/main', 'model: hf:ORG/NAME'],
  ])('writes addresses of a hub in one form: %s', (slip, right) => {
    const text = (line: string): string => `${FILE}${GATE}`.replace('model: models/base', line)
    expect(fixed(text(slip))).toBe(text(right))
  })

  it('the lines for a merged model that E132 gives can be pasted', () => {
    const merged = FILE.replace('lora-train -> eval', 'lora-train -> merge -> [eval, eval-base]')
    const twin = '  eval-base: { uses: eval, inputs: { model: sources.model } }\n'
    const text = `${merged}${twin}${GATE.replace('untuned', 'eval-base')}`
    expect(
      compile({ path: 'demo.pipeline.yaml', text }, stageKinds).diagnostics.map(({ code }) => code),
    ).toEqual([])
  })
})
