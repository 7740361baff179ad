/** The schema for editors: it takes what the compiler takes, refuses what it refuses at the same place, and is not stale. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv, type ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { compile } from '../../dsl/compile.ts'
import { KEYS } from '../../dsl/keys.ts'
import { inLanguage } from '../../dsl/words.ts'
import { pipelineSchema, schemaText } from '../../editor/schema.ts'
import { stageKinds } from '../../stages/catalogue.ts'
import { GOOD } from './looking.ts'

const root = join(import.meta.dirname, '../..')
const schema = pipelineSchema(stageKinds, 'en')
const options = { strict: true, allowUnionTypes: true, allErrors: true } as const
const validate = new Ajv(options).compile(schema)

const HEAD = 'version: 1\nname: t\nmodel: m\ndata: d.jsonl\n'
const FLOW = 'flow: clean -> split -> tokenize -> lora-train -> eval -> gate\n'
const GATE = '  gate: { checks: [bleu >= 0.3] }\n'

/** Where the schema finds something wrong: the deepest places, each once. */
function places(text: string, check: ValidateFunction = validate): readonly string[] {
  check(parse(text))
  const found = (check.errors ?? []).map(({ instancePath, keyword, params }) => {
    const { additionalProperty, propertyName } = params as Readonly<Record<string, unknown>>
    const name = keyword === 'additionalProperties' ? additionalProperty : propertyName
    return typeof name === 'string' ? `${instancePath}/${name}` : instancePath
  })
  return [...new Set(found)].filter((path) => !found.some((other) => other.startsWith(`${path}/`)))
}

const pipelines = readdirSync(join(root, 'pipelines')).filter((name) => name.endsWith('.pipeline.yaml'))

describe('the schema', () => {
  it('is the file that editors read; if not: sluice schema --out schema/pipeline.schema.json', () => {
    expect(readFileSync(join(root, 'schema/pipeline.schema.json'), 'utf8')).toBe(schemaText(stageKinds, 'en'))
  })

  it('means the same in draft 2020-12', () => {
    const { $schema: _, ...rest } = schema
    const modern = new Ajv2020(options).compile(rest)
    for (const name of pipelines)
      expect(places(readFileSync(join(root, 'pipelines', name), 'utf8'), modern)).toEqual([])
    expect(places(`${HEAD}${FLOW}stages: { eval: { with: { metric: [bleu] } } }`, modern)).toEqual([
      '/stages/eval/with/metric',
    ])
  })

  it('speaks Chinese, too', () => {
    expect(schemaText(stageKinds, 'zh')).toContain(KEYS.stage.baseline.doc.zh)
  })

  it.each(pipelines)('takes %s', (name) => {
    expect(places(readFileSync(join(root, 'pipelines', name), 'utf8'))).toEqual([])
  })
})

describe('what may be written', () => {
  const good: readonly (readonly [string, string])[] = [
    ['an expression for a number', 'lora-train: { with: { r: =params.r, dropout: 5%, lr: 2e-4 } }'],
    ['an expression inside a list', 'eval: { with: { metrics: [bleu, =params.metric] } }'],
    ['an expression for a list', 'eval: { with: { metrics: =params.metrics } }'],
    ['one of several forms', 'lora-train: { with: { target: [q_proj, =params.layer] } }'],
    ['a stage of another name', 'score: { uses: eval@1, with: { split: validation } }'],
    ["another kind under a kind's name", 'eval: { uses: clean, with: { drop: [blank] } }'],
    ['a stage without settings', 'clean:'],
    ['inputs', 'eval: { inputs: { adapter: none, model: sources.model, tokens: tokenize } }'],
    ['how it is run', 'clean: { cache: off, timeout: 1.5h, needs: [split] }'],
    ['retries', 'clean: { retry: { max: 2, on: [worker-lost, oom], backoff: 30s } }'],
    ['one cause to retry', 'clean: { retry: { on: timeout } }'],
    ['resources', 'lora-train: { resources: { gpu: 1, vram: 16GB, memory: 32 GiB } }'],
    ["resources of one's own, a mutex", 'clean: { resources: { licence: 2 }, mutex: [database, port] }'],
    ['one mutex', 'clean: { mutex: database }'],
    ['more for the key', 'clean: { cache: { also: [=params.r, "=env(\'DAY\')"] } }'],
    ['a condition', "clean: { when: run.branch == 'main' and not gate.failed }"],
    [
      'a sweep',
      'lora-train: { matrix: { r: [4, 8], lr: [1e-4], exclude: [{ r: 4 }], include: [{ r: 16, lr: 1e-5 }], max_parallel: 2, keep_going: true }, with: { r: =matrix.r } }',
    ],
    ['watches', 'lora-train: { watch: [{ stop: train.loss > 20 }] }'],
    [
      'every form of a check',
      'gate: { baseline: untuned, metrics: eval, checks: [bleu >= 0.3, { warn: rouge_l >= 40%, why: w }, { require: bleu > 0, name: n }], budget: [total.gpu_time <= 3h] }',
    ],
  ]
  it.each(good)('%s', (_, stage) => {
    expect(places(`${HEAD}${FLOW}stages:\n  ${stage}\n`)).toEqual([])
  })

  it('at the top', () => {
    const top = `params:
  lr: { default: 1e-4, type: number, range: 1e-6..1e-2, description: d }
  kind: { default: a, enum: [a, b] }
  smoke: false
sources:
  base: { type: model, from: models/base/* }
  rows: { type: dataset, from: { train: a.jsonl, test: b.jsonl }, optional: true }
defaults: { cache: off, timeout: 2h, retry: { max: 1 }, resources: { cpu: 2 } }
notify:
  - { on: [gate.failed, gate.undecided], webhook: env:HOOK }
  - { on: waiting, run: ./tell.sh }
`
    expect(places(`version: 1\nname: 客服-zh\n${top}${FLOW}`)).toEqual([])
  })
})

describe('no false alarm', () => {
  const sound = (path: string, text: string): boolean =>
    !compile({ path, text }, stageKinds).diagnostics.some(({ severity }) => severity === 'error')

  it('in any file of the fixtures that compiles', () => {
    const folder = join(root, 'tests/dsl/bad')
    const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'))
    const good = files.filter((name) => sound(name, readFileSync(join(folder, name), 'utf8')))
    expect(good.length).toBeGreaterThan(2)
    for (const name of good)
      expect([name, places(readFileSync(join(folder, name), 'utf8'))]).toEqual([name, []])
  })

  it('for any value that the compiler takes', () => {
    const lines = GOOD.split('\n')
    const values = [
      '=params.rate',
      '5%',
      '0',
      '1',
      '8',
      'none',
      '[]',
      '{}',
      '"x"',
      'true',
      '30s',
      '16GB',
      'untuned',
      'auto',
      'eval',
      'clean',
      '',
      '[bleu]',
      '"=1 + 1"',
      '2e-4',
      'null',
      '{ also: [1] }',
      'bleu > 0.1',
    ]
    const keys = [
      'seed',
      'timeout',
      'cache',
      'needs',
      'when',
      'retry',
      'resources',
      'uses',
      'inputs',
      'with',
      'watch',
      'baseline',
      'metrics',
      'budget',
      'description',
      'matrix',
    ]
    let taken = 0
    const change = fc.record({
      line: fc.nat(lines.length - 1),
      value: fc.constantFrom(...values),
      key: fc.option(fc.constantFrom(...keys), { nil: null }),
    })
    fc.assert(
      fc.property(change, ({ line, value, key }) => {
        const old = lines[line] ?? ''
        const indent = /^ */.exec(old)?.[0] ?? ''
        const changed = key === null ? old.replace(/: .*/, `: ${value}`) : `${indent}${key}: ${value}\n${old}`
        const text = [...lines.slice(0, line), changed, ...lines.slice(line + 1)].join('\n')
        if (!sound('pipelines/demo.pipeline.yaml', text)) return
        taken++
        expect(places(text)).toEqual([])
      }),
      { numRuns: 600 },
    )
    expect(taken).toBeGreaterThan(60)
  })
})

describe('what may not', () => {
  const bad: readonly (readonly [string, string, string])[] = [
    ['a key of no language', 'stage: {}\n', '/stage'],
    ['a version to come', 'version: 2\n', '/version'],
    ['a name in capitals', 'name: Support\n', '/name'],
    ['a flow in a list', 'flow: [clean, split]\n', '/flow'],
    ['a source without a type', 'sources: { book: book.txt }\n', '/sources/book'],
    ['a source of no type', 'sources: { book: { type: text, from: b } }\n', '/sources/book/type'],
    ['a parameter without default', 'params: { lr: { type: number } }\n', '/params/lr'],
    ['a parameter of no type', 'params: { lr: { default: 1, type: float } }\n', '/params/lr/type'],
    ['an event of none', 'notify: [{ on: [gate.broken], run: x }]\n', '/notify/0/on/0'],
    ['nobody to notify', 'notify: [{ on: [gate.failed] }]\n', '/notify/0'],
    ['a misspelt option', 'stages: { eval: { with: { metric: [bleu] } } }\n', '/stages/eval/with/metric'],
    ['a number out of range', 'stages: { lora-train: { with: { r: 0 } } }\n', '/stages/lora-train/with/r'],
    ['a word for a number', 'stages: { lora-train: { with: { lr: 2-e4 } } }\n', '/stages/lora-train/with/lr'],
    ['a share beyond its unit', 'stages: { split: { with: { train: 80s } } }\n', '/stages/split/with/train'],
    [
      'a choice of none',
      'stages: { tokenize: { with: { loss_on: prompt } } }\n',
      '/stages/tokenize/with/loss_on',
    ],
    [
      'a metric of none',
      'stages: { eval: { with: { metrics: [bleu, blue] } } }\n',
      '/stages/eval/with/metrics/1',
    ],
    ['an option by uses', 'stages: { score: { uses: eval, with: { r: 8 } } }\n', '/stages/score/with/r'],
    ['a kind of none', 'stages: { score: { uses: evall } }\n', '/stages/score/uses'],
    ['a name without a kind', 'stages: { score: { with: {} } }\n', '/stages/score'],
    ['a reserved name', 'stages: { main: { uses: eval } }\n', '/stages/main'],
    ['a port of none', 'stages: { eval: { inputs: { adaptor: x } } }\n', '/stages/eval/inputs/adaptor'],
    [
      'none for a port in need',
      'stages: { eval: { inputs: { model: none } } }\n',
      '/stages/eval/inputs/model',
    ],
    ["a gate's key elsewhere", 'stages: { eval: { baseline: x } }\n', '/stages/eval/baseline'],
    ['a sweep of a gate', 'stages: { gate: { matrix: { r: [1] } } }\n', '/stages/gate/matrix'],
    ['no checks', 'stages: { gate: { checks: [] } }\n', '/stages/gate/checks'],
    [
      'a check of two minds',
      'stages: { gate: { checks: [{ warn: a > 1, require: a > 1 }] } }\n',
      '/stages/gate/checks/0',
    ],
    [
      'a check of another form',
      'stages: { gate: { checks: [{ bleu: 0.3 }] } }\n',
      '/stages/gate/checks/0/bleu',
    ],
    ['a duration without unit', 'stages: { eval: { timeout: 30 } }\n', '/stages/eval/timeout'],
    ['a size without unit', 'stages: { eval: { resources: { vram: 16 } } }\n', '/stages/eval/resources/vram'],
    ['a cause of none', 'stages: { eval: { retry: { on: [crash] } } }\n', '/stages/eval/retry/on/0'],
    ['a setting of none', 'defaults: { caching: off }\n', '/defaults/caching'],
  ]
  it.each(bad)('%s', (_, text, place) => {
    const keys = text.split(':')[0] ?? ''
    const rest = `${HEAD}${FLOW}`.split('\n').filter((line) => !line.startsWith(`${keys}:`))
    expect(places(`${rest.join('\n')}\n${text}`)).toContain(place)
  })

  it('what is missing', () => {
    expect(places(FLOW)).toEqual([''])
    validate(parse(FLOW))
    expect(
      validate.errors?.map(({ params }) => (params as { missingProperty?: string }).missingProperty),
    ).toEqual(['version', 'name'])
  })
})

describe('the words', () => {
  const stage = (key: string): string => `${HEAD}${FLOW}stages:\n${GATE}  eval: { ${key} }\n`
  const table: readonly (readonly [string, string, unknown])[] = [
    ['cache', stage('cache: qqq'), KEYS.defaults['cache']],
    ['causes', stage('retry: { on: [qqq] }'), KEYS.retry.on],
    ['events', `${HEAD}${FLOW}notify: [{ on: [qqq], run: x }]\n`, KEYS.notification.on],
    ['types of sources', `${HEAD}${FLOW}sources: { x: { type: qqq, from: m } }\n`, KEYS.source.type],
    ['types of parameters', `${HEAD}${FLOW}params: { x: { default: 1, type: qqq } }\n`, KEYS.param.type],
  ]
  it.each(table)('for %s are those that the compiler takes', (_, text, key) => {
    const { diagnostics } = compile({ path: 't', text }, stageKinds)
    const help = diagnostics.find((each) => each.code === 'E121')?.help[0]
    const words = inLanguage(help ?? '', 'en')
      .replace(/^.*?: /, '')
      .split(' ')
    expect(words.length).toBeGreaterThan(2)
    expect(/"enum":\[(.*?)\]/.exec(JSON.stringify(key))?.[1]).toBe(words.map((word) => `"${word}"`).join(','))
  })
})

describe('the keys', () => {
  const known = (text: string): readonly string[] => {
    const { diagnostics } = compile({ path: 't', text }, stageKinds)
    const help = diagnostics.find((each) => each.code === 'E003')?.help[0]
    return inLanguage(help ?? '', 'en')
      .replace(/^.*?: /, '')
      .split(' ')
  }
  const table: readonly (readonly [keyof typeof KEYS, string])[] = [
    ['pipeline', `${HEAD}${FLOW}qqqqqqqqqq: 1\n`],
    ['stage', `${HEAD}${FLOW}stages:\n${GATE}  eval: { qqqqqqqqqq: 1 }\n`],
    ['defaults', `${HEAD}${FLOW}defaults: { qqqqqqqqqq: 1 }\n`],
    ['source', `${HEAD}${FLOW}sources: { x: { type: model, from: m, qqqqqqqqqq: 1 } }\n`],
    ['param', `${HEAD}${FLOW}params: { x: { default: 1, qqqqqqqqqq: 1 } }\n`],
  ]
  it.each(table)('of %s are all in the table', (place, text) => {
    expect(known(text).length).toBeGreaterThan(1)
    for (const name of known(text)) expect(Object.keys(KEYS[place])).toContain(name)
  })
})
