/** `sluice run --watch`: runs, and again whenever the pipeline file or a source changes, until Ctrl-C. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PipelineSource } from '../../dsl/pipeline.ts'
import { filesOfSource } from '../../engine/plan/sources.ts'
import { CONFIG_FILE } from '../config-file.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { compileFile, findProject, listFlag, paramsOf, readBuild } from '../project.ts'
import { nextChange, stampOf } from '../watching.ts'
import { runCommand } from './run.ts'

/** Between two looks; longer where a look takes long, so that watching costs a few per cent of a core at most. */
const EVERY_MS = 300
const SHARE = 20

/** @param tell says what was wrong with a file, and gives the exit code */
export async function watchCommand(
  command: Command,
  buildDir: string,
  tell: (error: unknown) => Promise<number>,
): Promise<number> {
  if (command.flags['json'] === true)
    throw new Usage('--watch has no end, so it is no JSON document\n  help: --events ndjson', true)
  if ([...listFlag(command, 'force'), ...listFlag(command, 'force-downstream')].length > 0)
    throw new Usage('--watch would force the stage after every change\n  help: leave out the force', true)
  const stop = new AbortController()
  const end = () => stop.abort()
  process.on('SIGINT', end)
  process.on('SIGTERM', end)
  const watched = await watchedFiles(command, buildDir)
  let count = 0
  let tookMs = 0
  const look = async () => {
    const began = performance.now()
    const files = await watched()
    count = files.length
    const stamp = stampOf(files)
    tookMs = performance.now() - began
    return stamp
  }
  const pause = () => sleep(Math.max(EVERY_MS, tookMs * SHARE), undefined, { signal: stop.signal, ref: true })
  try {
    for (let before = await look(); ;) {
      const code = await runCommand(command, buildDir).catch(tell)
      if (stop.signal.aborted) return code
      // As many as the run began with: by now somebody may be in the middle of replacing one.
      process.stderr.write(`\nwatching ${String(count)} files; Ctrl-C ends\n`)
      before = await nextChange(before, { look, pause })
    }
  } catch (error) {
    // Nothing ran, so nothing was interrupted.
    if (stop.signal.aborted) return 0
    throw error
  } finally {
    process.off('SIGINT', end)
    process.off('SIGTERM', end)
  }
}

/** The pipeline file, the configuration, and the files that the sources find now; of a broken file, those of the last good one. */
async function watchedFiles(command: Command, buildDir: string): Promise<() => Promise<readonly string[]>> {
  const project = await findProject(command, buildDir)
  const own = [project.file, CONFIG_FILE].map((name) => join(project.root, name))
  let compiled = ''
  let sources: readonly PipelineSource[] = []
  return async () => {
    const stamp = stampOf(own)
    if (stamp !== compiled) {
      const { pipeline } = await compileFile(project, readBuild(buildDir), { params: paramsOf(command) })
      if (pipeline !== null) sources = Object.values(pipeline.sources)
      compiled = stamp
    }
    const found = await Promise.all(sources.map((source) => filesOfSource(source, project.root, Infinity)))
    return [...own, ...found.flat()]
  }
}
