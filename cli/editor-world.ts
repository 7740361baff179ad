/** What the language server may know of the machine: paths, the lock file, earlier runs, explanations as files. */
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { catalogue } from '../dsl/catalogue.ts'
import type { Diagnostic } from '../dsl/diagnostic.ts'
import { adviceOn, sourcesToCompare, sourcesToSample, type Facts as WorldFacts } from '../dsl/facts.ts'
import { own } from '../dsl/own.ts'
import type { Pipeline } from '../dsl/pipeline.ts'
import { LANGUAGES, type Language } from '../dsl/words.ts'
import { NO_FACTS, type Facts, type Scores, type StageFact } from '../editor/facts.ts'
import type { World } from '../editor/server.ts'
import { readLock } from '../engine/lock-file.ts'
import { readLog, runIds } from '../engine/run/log.ts'
import { fold, newRun, type StageState } from '../engine/run/state.ts'
import { explanation } from './commands/explain.ts'
import { gatherFacts } from './facts.ts'
import { languageOf } from './language.ts'
import { rootAbove } from './project.ts'

/** A lock file or a run that is newer than this is noticed at the next question. */
const FRESH_MS = 1000
/** Runs of other pipelines that are looked at on the way to the newest of this one. */
const MOST_RUNS = 30

export function editorWorld(buildDir: string, environment: NodeJS.ProcessEnv): World {
  const known = new Map<string, { readonly at: number; readonly facts: Facts }>()
  const sampled: Sampled = new Map()
  return {
    pathOf: (uri, languageId) => {
      const path = pathIn(uri)
      const ours = languageId === 'sluice-pipeline' || /\.pipeline\.ya?ml$/.test(uri)
      if (!ours) return null
      return path === null ? uri : relative(rootAbove(dirname(path)), path)
    },
    facts: (uri) => {
      const before = known.get(uri)
      if (before !== undefined && performance.now() - before.at < FRESH_MS) return before.facts
      const facts = factsOf(uri)
      known.set(uri, { at: performance.now(), facts })
      return facts
    },
    advice: (uri, pipeline) => adviceFor(uri, pipeline, sampled),
    explained: (_, code, language) => explainedAt(buildDir, code, language),
    language: (locale) => {
      const wish = environment['SLUICE_LANG']?.toLowerCase()
      if (locale === null || LANGUAGES.some((each) => each === wish)) return languageOf(environment)
      return locale.toLowerCase().startsWith('zh') ? 'zh' : 'en'
    },
    later: (ms, run) => {
      const timer = setTimeout(run, ms)
      return () => clearTimeout(timer)
    },
  }
}

function pathIn(uri: string): string | null {
  try {
    return fileURLToPath(uri)
  } catch {
    return null
  }
}

function factsOf(uri: string): Facts {
  const path = pathIn(uri)
  if (path === null) return NO_FACTS
  const name = /([^/\\]+)\.pipeline\.ya?ml$/.exec(path)?.[1] ?? ''
  return {
    scores: quietly(() => scoresIn(path.replace(/\.ya?ml$/, '.lock'))) ?? {},
    states: quietly(() => lastStates(join(rootAbove(dirname(path)), '.sluice'), name)) ?? {},
  }
}

/** Pipeline file and its sources -> what a look at them said, and when. */
type Sampled = Map<string, { readonly at: number; readonly facts: WorldFacts }>

/** Rows change seldom; they are not read at every keystroke. */
const SAMPLE_FRESH_MS = 10_000

async function adviceFor(uri: string, pipeline: Pipeline, sampled: Sampled): Promise<readonly Diagnostic[]> {
  const path = pathIn(uri)
  const names = [...sourcesToSample(pipeline), ...sourcesToCompare(pipeline)]
  if (path === null || names.length === 0) return []
  const key = JSON.stringify([uri, names.map((name) => pipeline.sources[name]?.from)])
  let known = sampled.get(key)
  if (known === undefined || performance.now() - known.at > SAMPLE_FRESH_MS) {
    const root = rootAbove(dirname(path))
    known = { facts: await gatherFacts(pipeline, root, join(root, '.sluice')), at: performance.now() }
    sampled.set(key, known)
  }
  return adviceOn(pipeline, known.facts)
}

/** A hover shows what there is; what is damaged has its message in the command that needs it. */
function quietly<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null
  }
}

function scoresIn(lockPath: string): Facts['scores'] {
  const entries = Object.entries(readLock(lockPath)?.['scores'] ?? {})
  return Object.fromEntries(
    entries.map(([stage, { ruler, rows: _, ...values }]): [string, Scores] => [
      stage,
      {
        ruler: typeof ruler === 'string' ? ruler : null,
        values: Object.fromEntries(
          Object.entries(values).filter(
            (entry): entry is [string, number | null] => entry[1] === null || typeof entry[1] === 'number',
          ),
        ),
      },
    ]),
  )
}

const folded = new Map<
  string,
  { readonly stamp: string; readonly pipeline: string; readonly states: Facts['states'] }
>()

/** What became of each stage in the newest run of a pipeline. */
function lastStates(stateDir: string, pipeline: string): Facts['states'] {
  for (const run of runIds(stateDir).slice(-MOST_RUNS).reverse()) {
    const log = join(stateDir, 'runs', run, 'run.jsonl')
    const { size, mtimeMs } = statSync(log)
    const stamp = `${String(size)} ${String(mtimeMs)}`
    let known = folded.get(log)
    if (known?.stamp !== stamp) {
      const state = readLog(log).reduce(fold, newRun)
      const states = [...state.stages.values()].map((stage) => [stage.name, factOf(stage)] as const)
      known = { stamp, pipeline: state.pipeline ?? '', states: Object.fromEntries(states) }
      folded.set(log, known)
    }
    if (known.pipeline === pipeline) return known.states
  }
  return {}
}

function factOf({ status, verdict, startedAt, durationMs }: StageState): StageFact {
  return {
    status: verdict?.verdict ?? status,
    startedAt: startedAt === null ? null : new Date(startedAt).toISOString(),
    durationMs,
  }
}

/** The explanation of a code as a file that an editor can open; written when it is first asked for. */
function explainedAt(buildDir: string, code: string, language: Language): string | null {
  const entry = own(catalogue, code)
  if (entry === undefined) return null
  const path = join(buildDir, 'explain', `${code}.${language}.txt`)
  try {
    if (!existsSync(path)) {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, `${explanation(code, entry, language)}\n`)
    }
    return pathToFileURL(path).href
  } catch {
    // A read-only installation has no links from codes to explanations.
    return null
  }
}
