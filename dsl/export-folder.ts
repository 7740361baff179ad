/** Where an export goes, from the project root: as it is meant, however it is written. */
import type { Json } from './stage-signature.ts'

/** What a rehearsal exports goes nowhere else; its pipeline is called `NAME.smoke`. */
const REHEARSAL = '.sluice/rehearsal'

/** @param to what the file says, with `./`, a slash at the end, or nothing at all */
export function exportFolder(to: Json | undefined, pipeline: string): string {
  const folder = partsOf(typeof to === 'string' ? to : `out/${pipeline}`).join('/')
  return pipeline.endsWith('.smoke') ? `${REHEARSAL}/${folder}` : folder
}

export function partsOf(path: string): readonly string[] {
  return path.split('/').filter((part) => part !== '.' && part !== '')
}
