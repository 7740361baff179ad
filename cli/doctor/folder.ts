/** Can the state folder do what a run asks of it: be written, have room, and name one file twice. */
import { existsSync, linkSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openStores } from '../../engine/environment.ts'
import { bytes } from '../reports/style.ts'
import { failed, ok, warning } from './finding.ts'
import type { Finding } from './finding.ts'

const LEAST_DISK_BYTES = 2e9

export function folderFindings(root: string, stateDir: string): readonly Finding[] {
  const there = existsSync(stateDir)
  const { bavail, bsize } = statfsSync(root)
  const free = bavail * bsize
  const used = there ? `, ${bytes(storedBytes(stateDir))} in the store` : ''
  const space = `${bytes(free)} free${used}`
  return [
    free > LEAST_DISK_BYTES
      ? ok('disk', space)
      : failed('disk', space, 'free some space; sluice gc --dry-run shows what could go'),
    // Looking creates no state folder.
    probe(there ? stateDir : root),
  ]
}

function storedBytes(stateDir: string): number {
  let sum = 0
  for (const object of openStores(stateDir).blobs.objects()) if (object.digest !== null) sum += object.size
  return sum
}

function probe(folder: string): Finding {
  let place: string
  try {
    place = mkdtempSync(join(folder, '.sluice-doctor-'))
  } catch (error) {
    return failed('state folder', `${folder} cannot be written (${codeOf(error)})`, 'check its owner')
  }
  try {
    writeFileSync(join(place, 'a'), '')
    linkSync(join(place, 'a'), join(place, 'b'))
    return ok('state folder', 'can be written, and has hard links')
  } catch (error) {
    return warning(
      'state folder',
      `has no hard links (${codeOf(error)})`,
      'results are copied where they could be linked; keep the project on a local disk',
    )
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error as Error).message
}
