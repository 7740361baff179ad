/** To root no file is read-only: what has to work for everybody is tried as somebody who is not root. */
import { chownSync } from 'node:fs'

const NOBODY = 65534

/** Runs it as another user if this process is root's, with a folder that is theirs. */
export async function asOrdinaryUser<T>(folder: string, act: () => Promise<T>): Promise<T> {
  const { geteuid, seteuid } = process
  if (geteuid === undefined || seteuid === undefined || geteuid() !== 0) return act()
  chownSync(folder, NOBODY, NOBODY)
  seteuid(NOBODY)
  try {
    return await act()
  } finally {
    seteuid(0)
  }
}
