/** Rights for who works in a state folder without a run, such as `cache verify`. */
import { Presence, visitorId } from './presence.ts'
import { Rights } from './rights.ts'

/** Is present as `command` for as long as `act` takes. */
export async function visit<T>(
  stateDir: string,
  command: string,
  act: (rights: Rights) => Promise<T>,
): Promise<T> {
  await using presence = new Presence(stateDir, visitorId(), command)
  return await act(new Rights(stateDir, presence))
}
