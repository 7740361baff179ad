/** Waits until files have changed and come to rest: by looking again and again, which sees a save by renaming and a new file alike. */
import { statSync } from 'node:fs'

/** What tells one state of these files from another without reading them; an absent one is a state, too. */
export function stampOf(paths: readonly string[]): string {
  const stamps = paths.map((path) => {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
    return stat === undefined ? [path] : [path, stat.ino, stat.size, stat.mtimeNs]
  })
  return stamps.map((stamp) => stamp.join(' ')).join('\n')
}

export interface Looking {
  readonly look: () => Promise<string>
  /** Waits between two looks; rejects when the watch is over. */
  readonly pause: () => Promise<void>
}

/** The state after a change, once two looks in a row agree: an editor or a script may still be writing. */
export async function nextChange(before: string, { look, pause }: Looking): Promise<string> {
  for (let seen = before; ;) {
    const now = await look()
    if (now !== before && now === seen) return now
    seen = now
    await pause()
  }
}
