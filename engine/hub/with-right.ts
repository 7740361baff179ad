/** Two runs that want the same model: one fetches, the other waits for it and finds it there. */
import { ownerWords } from '../run/owner.ts'
import { visit } from '../run/visit.ts'
import type { Fetching, Pinned } from './fetching.ts'
import { folderName } from './snapshot.ts'

export async function withRight<T>(
  { repository, commit }: Pinned,
  { stateDir, command, waiting }: Pick<Fetching, 'stateDir' | 'command' | 'waiting'>,
  signal: AbortSignal,
  act: () => Promise<T>,
): Promise<T> {
  // Fetching is done before a run begins, or for no run at all.
  return visit(stateDir, command, async (rights) => {
    const right = await rights.take(
      `hub-${folderName(repository)}-${commit}`,
      (holder) => waiting(ownerWords(holder)),
      signal,
    )
    try {
      return await act()
    } finally {
      right.release()
    }
  })
}
