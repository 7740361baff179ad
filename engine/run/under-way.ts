/** Whether runs are under way in a state folder, and since when. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive } from './owner.ts'
import type { Owner } from './owner.ts'

/** When the oldest run that still lives began; null if none does. */
export function underWaySince(stateDir: string): number | null {
  const folder = join(stateDir, 'locks')
  const owners = existsSync(folder) ? readdirSync(folder).map((name) => ownerIn(join(folder, name))) : []
  const begun = owners.flatMap((owner) => (owner !== null && isAlive(owner) ? [Date.parse(owner.since)] : []))
  return begun.length === 0 ? null : Math.min(...begun)
}

function ownerIn(path: string): Owner | null {
  try {
    const owner = JSON.parse(readFileSync(path, 'utf8')) as Owner | null
    return typeof owner?.pid === 'number' ? owner : null
  } catch {
    // Released meanwhile, or torn by a power cut: nobody holds it.
    return null
  }
}
