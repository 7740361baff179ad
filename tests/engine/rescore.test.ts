/** The pipeline that measures main's model by the present eval: what is taken from main, and what from the file. */
import { describe, expect, test } from 'vitest'
import { compile } from '../../dsl/compile.ts'
import type { Pipeline } from '../../dsl/pipeline.ts'
import { digestOf } from '../../engine/artifact.ts'
import type { FoundSource } from '../../engine/environment.ts'
import type { Lock } from '../../engine/lock-file.ts'
import { blessingText, identityOf, parseBlessing, stands } from '../../engine/lock/blessing.ts'
import type { Blessing } from '../../engine/lock/blessing.ts'
import { wiringFacts } from '../../engine/lock/facts.ts'
import { rescoringOf } from '../../engine/lock/rescore.ts'
import { stageKinds } from '../../stages/catalogue.ts'

function pipelineOf(flow: string, more = ''): Pipeline {
  const text = `version: 1
name: t
data: d.jsonl
sources: { corpus: { type: corpus, from: c.txt } }
${more}flow: ${flow}
stages:
  split: { with: { train: 80%, validation: 10%, test: 10%, seed: 7 } }
  gate: { checks: [bleu no worse than main] }
`
  const { value, diagnostics } = compile({ path: 't', text }, stageKinds)
  if (value === undefined) throw new Error(JSON.stringify(diagnostics.map(({ message }) => message)))
  return value
}

const found = (text: string): FoundSource => ({ digest: digestOf(text), dir: '/x', count: 1, files: ['x'] })
const sources = { data: found('data'), corpus: found('corpus'), model: found('model') }
const file = 'pretrain -> tokenize; clean -> split -> tokenize -> lora-train -> eval -> gate'

/** The lock that a run of a pipeline would have left, with outputs named after what made them. */
function lockOf(pipeline: Pipeline, changes: Lock = {}): Lock {
  const stages = pipeline.stages.map(({ name, outputs }) => {
    const made = Object.keys(outputs).map((port) => [`out.${port}`, digestOf(`${name}.${port}`)])
    return [name, Object.fromEntries(made) as Record<string, string>]
  })
  return {
    stages: Object.fromEntries(stages) as Record<string, Record<string, string>>,
    wiring: Object.fromEntries(pipeline.stages.map((stage) => [stage.name, wiringFacts(stage)])),
    sources: Object.fromEntries(Object.entries(sources).map(([name, { digest }]) => [name, { digest }])),
    scores: { eval: { ruler: 'old', bleu: 0.3 } },
    ...changes,
  }
}

const ask = (pipeline: Pipeline, main: Lock) =>
  rescoringOf({ pipeline, kinds: stageKinds, sources, main, judged: 'eval' })

describe('rescoringOf', () => {
  const pipeline = pipelineOf(file)

  test('takes adapter and model from main, rows and settings from the file', () => {
    const rescoring = ask(pipeline, lockOf(pipeline))
    if ('problem' in rescoring) throw new Error(rescoring.problem)
    expect(rescoring.pipeline.stages.map(({ name }) => name)).toEqual(['clean', 'split', 'tokenize', 'eval'])
    expect(rescoring.pipeline.name).toBe('t@main')
    const stages = new Map(rescoring.pipeline.stages.map((stage) => [stage.name, stage]))
    expect(stages.get('eval')?.inputs).toEqual({
      adapter: { type: 'source', source: 'main:lora-train.adapter' },
      model: { type: 'source', source: 'main:pretrain.model' },
      tokens: { type: 'stage', stage: 'tokenize', port: 'tokens' },
    })
    expect(stages.get('tokenize')?.inputs['model']).toEqual({ type: 'source', source: 'main:pretrain.model' })
    expect(stages.get('split')?.with['seed']).toBe(7)
    expect(rescoring.standIns.map(({ made, tree }) => [made, tree])).toEqual([
      ['pretrain.model', digestOf('pretrain.model')],
      ['lora-train.adapter', digestOf('lora-train.adapter')],
    ])
    expect(Object.keys(rescoring.pipeline.sources).sort()).toEqual([
      'data',
      'main:lora-train.adapter',
      'main:pretrain.model',
    ])
  })

  test('follows how main was wired, not how the file is wired now', () => {
    const main = lockOf(pipeline)
    const renamed = {
      ...main,
      stages: { ...main['stages'], tune: { 'out.adapter': digestOf('tuned') } },
      wiring: { ...main['wiring'], eval: { ...main['wiring']?.['eval'], adapter: 'tune.adapter' } },
    }
    const rescoring = ask(pipeline, renamed)
    expect('standIns' in rescoring && rescoring.standIns.map(({ made }) => made)).toContain('tune.adapter')
    const untuned = {
      ...main,
      wiring: { ...main['wiring'], eval: { model: 'pretrain.model', tokens: 'tokenize.tokens' } },
    }
    const bare = ask(pipeline, untuned)
    if ('problem' in bare) throw new Error(bare.problem)
    expect(bare.pipeline.stages.find(({ name }) => name === 'eval')?.inputs['adapter']).toBeUndefined()
  })

  test('a model of the user’s own is the present files, if they are the same', () => {
    const own = pipelineOf('clean -> split -> tokenize -> lora-train -> eval -> gate', 'model: m/*\n')
    const same = ask(own, lockOf(own))
    expect('standIns' in same && same.standIns.map(({ made }) => made)).toEqual(['lora-train.adapter'])
    const other = ask(own, lockOf(own, { sources: { model: { digest: digestOf('other') } } }))
    expect('problem' in other ? other.problem : '').toMatch(
      /read other files as sources\.model .*keeps no copies/,
    )
    const gone = ask(own, lockOf(own, { wiring: { eval: { model: 'sources.base' } } }))
    expect('problem' in gone ? gone.problem : '').toContain('sources.base, which this file does not have')
  })

  test('an artifact that main’s lock does not name is said', () => {
    const main = lockOf(pipeline)
    const { 'lora-train': _gone, ...stages } = main['stages'] ?? {}
    expect(ask(pipeline, { ...main, stages })).toEqual({
      problem: "main's lock does not say what lora-train.adapter was",
    })
  })
})

describe('a blessing', () => {
  const main: Lock = {
    scores: { eval: { bleu: 0.3 } },
    stages: { eval: { key: '1' } },
    gates: { gate: { verdict: 'pass' } },
  }
  const blessing: Blessing = {
    how: 'set',
    insteadOf: identityOf(main),
    of: 'run 7f3a',
    why: '紧急修复: "先上线"',
    lock: {
      scores: { eval: { ruler: 'r', bleu: 0.2 } },
      stages: { eval: { key: '2' } },
      gates: { gate: { verdict: 'fail' } },
    },
  }

  test('comes back as it was, without the verdict that it overrules', () => {
    const text = blessingText(blessing)
    expect(text).toMatch(/^# Written by sluice baseline; commit it\. It counts until/)
    const { gates: _verdict, ...lock } = blessing.lock
    expect(parseBlessing(text, 'b')).toEqual({ ...blessing, lock })
    const first = { ...blessing, insteadOf: null, why: null }
    expect(parseBlessing(blessingText(first), 'b')).toMatchObject({ insteadOf: null, why: null })
  })

  test('counts until another run passes on the default branch', () => {
    expect(stands(blessing, main)).toBe(true)
    expect(stands(blessing, { ...main, gates: { gate: { verdict: 'pass', run: 'other' } } })).toBe(true)
    expect(stands(blessing, { ...main, scores: { eval: { bleu: 0.31 } } })).toBe(false)
    expect(stands(blessing, null)).toBe(false)
    expect(stands({ ...blessing, insteadOf: null }, null)).toBe(true)
  })

  test('is nothing where the file says something else, and an error where it is damaged', () => {
    expect(parseBlessing('lock: 1\nscores:\n  eval:\n    bleu: 1\n', 'b')).toBeNull()
    expect(() => parseBlessing('<<<<<<< HEAD\n', 'b')).toThrow(/^b:1 /)
  })
})
