/** Rights for who works in a state folder without a run, such as `cache verify`. */
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { Presence, presenceOf, VISITOR } from './presence.ts'
import { Rights } from './rights.ts'

/** Is present as `command` for as long as `act` takes. */
export async function visit<T>(
  stateDir: string,
  command: string,
  act: (rights: Rights) => Promise<T>,
): Promise<T> {
  const visitor = VISITOR + randomUUID().slice(0, 8)
  try {
    await using presence = new Presence(stateDir, visitor, command)
    return await act(new Rights(stateDir, presence))
  } finally {
    rmSync(dirname(presenceOf(stateDir, visitor)), { recursive: true, force: true })
  }
}
