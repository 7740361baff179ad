/** What earlier runs of a pipeline say of a stage. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readLog, runIds } from '../../engine/run/log.ts'

export interface StageStart {
  readonly run: string
  readonly reason: string
  readonly at: string
}

/** The newest start of a stage, or null if it never started here. */
export function lastStart(stateDir: string, pipeline: string, stage: string): StageStart | null {
  for (const run of [...runIds(stateDir)].reverse()) {
    const events = readLog(join(stateDir, 'runs', run, 'run.jsonl'))
    if (!events.some((event) => event.type === 'run.start' && event.pipeline === pipeline)) continue
    for (const event of events) {
      if (event.type === 'stage.start' && event.stage === stage)
        return { run, reason: event.reason, at: event.t }
    }
  }
  return null
}

/** The folder of a stage's newest attempt. */
export function lastAttempt(stateDir: string, pipeline: string, stage: string): string | null {
  const start = lastStart(stateDir, pipeline, stage)
  if (start === null) return null
  const folder = join(stateDir, 'runs', start.run, stage)
  if (!existsSync(folder)) return null
  const attempts = readdirSync(folder).sort((a, b) => Number(a) - Number(b))
  const newest = attempts.at(-1)
  return newest === undefined ? null : join(folder, newest)
}
