/** Every mistake of the catalogue as a file, with the exact text that people get to see in both languages. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { configIn } from '../../cli/config.ts'
import { loadPlugins } from '../../cli/plugins/load.ts'
import { renderDiagnostics } from '../../cli/reports/diagnostics.ts'
import { catalogue } from '../../dsl/catalogue.ts'
import { compile } from '../../dsl/compile.ts'
import { decode } from '../../dsl/decode.ts'
import type { Diagnostic } from '../../dsl/diagnostic.ts'
import { claimProblems } from '../../dsl/claims.ts'
import { judge } from '../../dsl/judge.ts'
import { memoryProblems } from '../../dsl/memory.ts'
import { adviceOn, sourcesToCompare, sourcesToSample } from '../../dsl/facts.ts'
import { brokenTests, readGateTests, runGateTests } from '../../dsl/gate-tests.ts'
import type { Pipeline } from '../../dsl/pipeline.ts'
import { smallTests } from '../../dsl/power.ts'
import { undecidedChecks } from '../../dsl/undecided.ts'
import { missingSource } from '../../dsl/problems/world.ts'
import type { StageSignature } from '../../dsl/stage-signature.ts'
import { LANGUAGES, type Language } from '../../dsl/words.ts'
import { LockError, parseLock } from '../../engine/lock-file.ts'
import { stageKinds } from '../../stages/catalogue.ts'
import { expectGolden } from '../support/golden.ts'

const folder = join(import.meta.dirname, 'bad')
const files = readdirSync(folder).filter((file) => /\.(yaml|lock)$/.test(file))

/** Of each `*.config.yaml`, as if it were the `sluice.config.yaml` of this folder. */
const inConfigs = new Map<string, readonly Diagnostic[]>()
/** Of the plugin in `bad/plugins/fails`, whose functions throw. */
const failing: Record<string, StageSignature> = {}

beforeAll(async () => {
  const builtIn = {
    kinds: stageKinds,
    ops: { 'text/clean': '' },
    runtimes: {},
    workers: {},
    slots: {},
    threads: {},
  }
  const loaded = (text: string) =>
    loadPlugins({ root: folder, buildDir: join(folder, '../../../build'), builtIn, config: configIn(text) })
  for (const file of files.filter((name) => name.endsWith('.config.yaml')))
    inConfigs.set(file, (await loaded(readFileSync(join(folder, file), 'utf8'))).diagnostics)
  Object.assign(failing, (await loaded('plugins: [plugins/fails]')).environment.kinds)
})

/** A kind with a required option, which none of ours has. */
const publish: StageSignature = {
  name: 'publish',
  version: '1.0.0',
  summary: '',
  options: { type: 'object', properties: { to: { type: 'string' } }, required: ['to'] },
  inputs: {},
  outputs: () => ({}),
}

/**
 * A first line `# test: …` says what the world adds: `-p name=value`, `han=0.97` (share of Chinese responses),
 * `publish` (the kind above is installed), `fails` (so is the plugin whose functions throw), `licences=2` (the project
 * has so many), `missing` (no file of a source is there), `leak` (test prompts are in train),
 * or what a run met (`ranInto`).
 */
function diagnose(file: string): readonly Diagnostic[] {
  const bytes = readFileSync(join(folder, file))
  if (file.endsWith('.lock')) return lockProblems(bytes.toString(), file)
  if (file.endsWith('.config.yaml')) return inConfigs.get(file) ?? []
  if (file.endsWith('.gate-tests.yaml')) return gateTestProblems(bytes.toString(), file)
  const { source, problem } = decode(file, bytes)
  if (problem !== null) return [problem]
  const world = /^# test: (.*)\n/.exec(source.text)?.[1]?.split(' ') ?? []
  const given = (name: string): string | undefined =>
    world.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1)
  const params = Object.fromEntries(
    world.flatMap((word, i) => (world[i - 1] === '-p' ? [word.split('=') as [string, string]] : [])),
  )
  const kinds = world.includes('fails')
    ? failing
    : world.includes('publish')
      ? { ...stageKinds, publish }
      : stageKinds
  const { value, diagnostics } = compile(source, kinds, { params })
  expect(value === undefined).toBe(diagnostics.some((each) => each.severity === 'error'))
  if (value === undefined) return diagnostics
  const hanShare = Object.fromEntries(sourcesToSample(value).map((name) => [name, Number(given('han') ?? 0)]))
  const missing = world.includes('missing')
    ? Object.values(value.sources).map((source) =>
        missingSource(source, JSON.stringify(source.from).slice(1, -1)),
      )
    : []
  const overlaps = world.includes('leak')
    ? Object.fromEntries(sourcesToCompare(value).map((name) => [name, LEAK]))
    : {}
  const licences = given('licences')
  const claims = claimProblems(value, licences === undefined ? {} : { licence: Number(licences) })
  return [
    ...diagnostics,
    ...adviceOn(value, { hanShare, overlaps }),
    ...claims,
    ...missing,
    ...tooSmall(value, given),
    ...ranInto(value, world),
  ]
}

/** What a last run with these numbers has to say. */
function tooSmall(pipeline: Pipeline, given: (name: string) => string | undefined): readonly Diagnostic[] {
  const [rows, margin, detectable] = ['rows', 'measured', 'detectable'].map((name) => Number(given(name)))
  const gate = pipeline.stages.find((stage) => stage.gate !== null)?.gate
  if (gate == null || !rows || margin === undefined || detectable === undefined) return []
  const checks = gate.checks.map((check) => ({
    ...check,
    outcome: 'fail' as const,
    operands: [],
    margin,
    reason: null,
    code: null,
    significance: { p: 0.21, alpha: 0.05, rows, draws: 2000, detectable },
  }))
  return smallTests(gate, { verdict: 'fail', checks })
}

const LEAK = {
  rows: 31,
  of: 118,
  test: { place: 'data/test.jsonl:12', prompt: '如何办理社保开户？' },
  train: { place: 'data/train.jsonl:803', prompt: '如何办理社保开户?' },
}

/** What a run met: `undecided` (main has no passing run), `nan` (perplexity is none), `oom` (training needed more memory). */
function ranInto(pipeline: Pipeline, world: readonly string[]): readonly Diagnostic[] {
  const gate = pipeline.stages.find((stage) => stage.gate !== null)?.gate
  const judged = {
    ruler: 'r',
    origin: 'eval',
    values: { bleu: 0.4, perplexity: world.includes('nan') ? NaN : 9 },
  }
  const main = { missing: 'main has no passing run yet' }
  const verdict =
    gate != null && (world.includes('nan') || world.includes('undecided'))
      ? undecidedChecks(gate, judge(gate, { judged, spaces: { main } }))
      : []
  return [...verdict, ...(world.includes('oom') ? memoryProblems(pipeline, ['lora-train']) : [])]
}

const JUDGED = `version: 1
name: judged
model: m
data: d.jsonl
flow: clean -> split -> tokenize -> lora-train -> eval -> gate
stages:
  split: { with: { train: 80%, validation: 10%, test: 10% } }
  gate: { baseline: untuned, checks: [bleu >= 0.30, perplexity better than baseline] }
`

function gateTestProblems(text: string, file: string): readonly Diagnostic[] {
  const { value: pipeline } = compile({ path: 'judged.pipeline.yaml', text: JUDGED }, stageKinds)
  if (pipeline === undefined) throw new Error('the pipeline of the gate tests has errors')
  const { value, diagnostics } = readGateTests({ path: file, text }, pipeline)
  return [...diagnostics, ...brokenTests(runGateTests(value ?? [], pipeline))]
}

function lockProblems(text: string, file: string): readonly Diagnostic[] {
  try {
    parseLock(text, file)
    return []
  } catch (error) {
    if (error instanceof LockError) return [error.diagnostic]
    throw error
  }
}

function goldenOf(file: string, language: Language): string {
  return join(folder, file.replace(/\.(yaml|lock)$/, language === 'en' ? '.txt' : `.${language}.txt`))
}

describe('bad files', () => {
  it.each(files)('%s', (file) => {
    const diagnostics = diagnose(file)
    if (/^[EW]\d/.test(file)) expect(diagnostics.map((each) => each.code)).toContain(file.slice(0, 4))
    for (const language of LANGUAGES)
      expectGolden(renderDiagnostics(diagnostics, { color: false, language }), goldenOf(file, language))
  })

  it('no golden text without its file', () => {
    const expected = files.flatMap((file) => LANGUAGES.map((language) => goldenOf(file, language)))
    const there = readdirSync(folder).filter((file) => file.endsWith('.txt'))
    expect(there.map((file) => join(folder, file)).sort()).toEqual([...expected].sort())
    expect(expected.every((path) => existsSync(path))).toBe(true)
  })

  it('cover every code of the catalogue', () => {
    const seen = new Set(files.flatMap((file) => diagnose(file).map((each) => each.code)))
    expect([...seen].sort()).toEqual(Object.keys(catalogue).sort())
  })

  it('each has a file of its own name', () => {
    const named = new Set(files.map((file) => file.slice(0, 4)))
    expect(Object.keys(catalogue).filter((code) => !named.has(code))).toEqual([])
  })
})
