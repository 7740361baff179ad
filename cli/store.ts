/** What every look at the store as a whole needs: the project, its locks, and who used which result. */
import { existsSync, readdirSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import type { Digest } from '../engine/artifact.ts'
import { openStores } from '../engine/environment.ts'
import type { Stores } from '../engine/environment.ts'
import { loggedRuns } from '../engine/gc/roots.ts'
import type { LoggedRun } from '../engine/gc/roots.ts'
import { readLock } from '../engine/lock-file.ts'
import type { Lock } from '../engine/lock-file.ts'
import type { Command } from './options.ts'
import { pipelineFiles, rootAbove, stringFlag } from './project.ts'

export interface StoreView {
  readonly root: string
  readonly stateDir: string
  readonly stores: Stores
  /** The locks of all pipelines as they lie here, and where the lock of each pipeline is or would be. */
  readonly locks: readonly Lock[]
  readonly lockPaths: readonly string[]
  readonly runs: readonly LoggedRun[]
}

/** Needs no pipeline file to be right, so that a full disk can be cleared at any time. */
export function viewStore(command: Command): StoreView {
  const root = rootAbove(process.cwd())
  const stateDir = join(root, '.sluice')
  const folder = join(root, 'pipelines')
  const named = stringFlag(command, 'file')
  const files = [...pipelineFiles(root), ...(named === null ? [] : [relative(root, resolve(named))])]
  // A lock whose pipeline was removed is still a lock that git tracks.
  const lying = existsSync(folder)
    ? readdirSync(folder).filter((name) => name.endsWith('.pipeline.lock'))
    : []
  const paths = [
    ...files.map((file) => file.replace(/\.yaml$/, '.lock')),
    ...lying.map((name) => `pipelines/${name}`),
  ]
  const lockPaths = [...new Set(paths)].map((path) => join(root, path))
  const locks = lockPaths.flatMap((path) => {
    const lock = readLock(path, relative(root, path))
    return lock === null ? [] : [lock]
  })
  return { root, stateDir, stores: openStores(stateDir), locks, lockPaths, runs: loggedRuns(stateDir) }
}

/** Key -> `pipeline/stage`, by the newest run that made, found or chose it. */
export function usersOf(runs: readonly LoggedRun[]): ReadonlyMap<Digest, string> {
  const users = new Map<Digest, string>()
  for (const { pipeline, keys } of runs)
    for (const [stage, key] of keys)
      if (!users.has(key)) users.set(key, pipeline === null ? stage : `${pipeline}/${stage}`)
  return users
}
