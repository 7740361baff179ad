/** The logs of old runs' attempts -> what may go. The run's own log stays: it is the history, and it is small. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { runIds } from '../run/log.ts'
import { presenceOf } from '../run/presence.ts'
import { bytesIn } from './sizes.ts'

/** Folders of attempts, one a stage, of runs that nobody named and whose logs have not grown since. */
export function oldRunLogs(
  stateDir: string,
  named: ReadonlySet<string>,
  since: number,
): readonly { readonly path: string; readonly bytes: number }[] {
  return runIds(stateDir).flatMap((run) => {
    const folder = join(stateDir, 'runs', run)
    if (named.has(run) || existsSync(presenceOf(stateDir, run)) || lastWrite(folder) >= since) return []
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name)
      return entry.isDirectory() ? [{ path, bytes: bytesIn(path) }] : []
    })
  })
}

function lastWrite(folder: string): number {
  return statSync(join(folder, 'run.jsonl')).mtimeMs
}
