// A throw-away copy of this project, so that measurements change neither its files nor its cached results.
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseDocument } from 'yaml'
import { measureProcess } from './measured-process.mjs'

export const projectRoot = join(dirname(fileURLToPath(import.meta.url)), '..')
export const DEMO = 'support-zh'

/**
 * Copies what git knows or does not ignore; `node_modules` is linked. There is no build and no state in the copy,
 * except with `state`, which takes along the cached results that the project has. Removed when this process ends,
 * unless SLUICE_KEEP is set.
 *
 * @param {{ state?: boolean }} [options]
 * @returns {string} its folder
 */
export function copyProject({ state = false } = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
  if (process.env.SLUICE_KEEP === undefined)
    process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
  else console.error(`the copy stays in ${dir}`)
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: projectRoot,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  for (const path of listed.split('\0')) {
    if (path === '' || !existsSync(join(projectRoot, path))) continue
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    cpSync(join(projectRoot, path), join(dir, path), { preserveTimestamps: true })
  }
  symlinkSync(join(projectRoot, 'node_modules'), join(dir, 'node_modules'))
  if (state && existsSync(join(projectRoot, '.sluice'))) {
    cpSync(join(projectRoot, '.sluice'), join(dir, '.sluice'), { recursive: true, verbatimSymlinks: true })
  }
  return dir
}

/** @param {string} dir @param {string} pipeline */
export function pipelinePath(dir, pipeline) {
  return join(dir, 'pipelines', `${pipeline}.pipeline.yaml`)
}

/**
 * Writes `pipelines/<to>.pipeline.yaml` from that of `from`, changed by `edit`, which gets the YAML document.
 *
 * @param {string} dir
 * @param {string} from
 * @param {string} to
 * @param {(document: import('yaml').Document) => void} edit
 */
export function derivePipeline(dir, from, to, edit) {
  const document = parseDocument(readFileSync(pipelinePath(dir, from), 'utf8'))
  document.set('name', to)
  edit(document)
  writeFileSync(pipelinePath(dir, to), document.toString({ lineWidth: 0 }))
}

/**
 * Makes a pipeline of the copy so small that it runs in seconds and learns nothing, to try out a benchmark itself.
 *
 * @param {string} dir
 * @param {string} pipeline
 */
export function shrinkPipeline(dir, pipeline) {
  console.error('--quick: a model that learns nothing; the scores below mean nothing either')
  derivePipeline(dir, pipeline, pipeline, (document) => {
    document.setIn(['stages', 'pretrain', 'with', 'steps'], 3)
    document.setIn(['stages', 'pretrain', 'with', 'layers'], 1)
    document.setIn(['stages', 'lora-train', 'with', 'epochs'], 1)
    for (const stage of ['eval', 'eval-base']) document.setIn(['stages', stage, 'with', 'max_new_tokens'], 4)
  })
}

/** Runs the real command line of the copy. @param {string} dir @param {readonly string[]} args */
export function sluice(dir, args, options = {}) {
  return measureProcess([process.execPath, 'cli/sluice.cjs', ...args], {
    cwd: dir,
    env: plainEnvironment(),
    ...options,
  })
}

/**
 * Runs a pipeline and reads its summary. Exit codes other than those of a judged run (0, 3, 4) end the benchmark.
 *
 * @returns {Promise<{ code: number, ms: number, peakSum: number | null, peakOne: number | null,
 *   scores: (stage: string, metric: string) => number | null,
 *   checks: readonly { text: string, level: string, outcome: string }[] }>}
 */
export async function runPipeline(dir, pipeline, options = {}) {
  const done = await sluice(dir, ['run', '-f', `pipelines/${pipeline}.pipeline.yaml`, '--json'], options)
  if (![0, 3, 4].includes(done.code ?? -1)) {
    const end = done.stderr.trimEnd().split('\n').slice(-25).join('\n')
    throw new Error(`sluice run of ${pipeline} ended with exit code ${done.code}:\n${end}`)
  }
  const summary = JSON.parse(done.stdout)
  return {
    ...done,
    scores: (stage, metric) => summary.metrics[stage]?.metrics[metric]?.value ?? null,
    checks: Object.values(summary.gates).flatMap((verdict) => verdict.checks),
  }
}

/** No colours, no live display, whatever terminal the benchmark runs in. */
export function plainEnvironment() {
  const { FORCE_COLOR: _, ...rest } = process.env
  return { ...rest, NO_COLOR: '1', CI: '1' }
}
