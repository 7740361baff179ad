/** Two runs that want the same model: one fetches, the other waits for it and finds it there. */
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { ownerWords } from '../run/owner.ts'
import { Presence, presenceOf, VISITOR } from '../run/presence.ts'
import { Rights } from '../run/rights.ts'
import type { Fetching, Pinned } from './fetching.ts'
import { folderName } from './snapshot.ts'

export async function withRight<T>(
  { repository, commit }: Pinned,
  { stateDir, command, waiting }: Pick<Fetching, 'stateDir' | 'command' | 'waiting'>,
  signal: AbortSignal,
  act: () => Promise<T>,
): Promise<T> {
  // Fetching is done before a run begins, or for no run at all.
  const visitor = VISITOR + randomUUID().slice(0, 8)
  try {
    await using presence = new Presence(stateDir, visitor, command)
    const right = await new Rights(stateDir, presence).take(
      `hub-${folderName(repository)}-${commit}`,
      (holder) => waiting(ownerWords(holder)),
      signal,
    )
    try {
      return await act()
    } finally {
      right.release()
    }
  } finally {
    rmSync(dirname(presenceOf(stateDir, visitor)), { recursive: true, force: true })
  }
}
