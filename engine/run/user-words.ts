/** A failure's words with the user's own names: no staging folders, paths as seen from the project's root. */
import { join, relative } from 'node:path'
import type { Stage } from '../../dsl/pipeline.ts'
import type { StageInput } from './attempt.ts'
import type { Place } from './staging.ts'

export interface Surroundings {
  readonly stage: Stage
  readonly inputs: Readonly<Record<string, StageInput>>
  /** Where the attempt works; its paths are absolute. */
  readonly place: Place
  /** The project's root, absolute. */
  readonly root: string
}

/**
 * `<staging>.in.model/config.json` becomes `pretrain.model/config.json`, as a file would name it; the `rows.jsonl` of
 * a source becomes `data/rows.jsonl`; absolute paths below the root lose the root.
 */
export function inUserWords(text: string, { stage, inputs, place, root }: Surroundings): string {
  let words = text
  for (const [port, reference] of Object.entries(stage.inputs)) {
    if (reference.type === 'stage')
      words = words.replaceAll(place.input(port), `${reference.stage}.${reference.port}`)
  }
  words = words.replaceAll(`${place.stem}.`, 'its working folder/').replaceAll(`${root}/`, '')
  for (const input of Object.values(inputs)) {
    if (input.type !== 'source') continue
    for (const file of input.found.files) {
      const shown = relative(root, join(input.found.dir, file))
      if (shown === file || !words.includes(file)) continue
      words = words.replaceAll(new RegExp(`(?<![\\w./-])${escaped(file)}(?![\\w/-])`, 'gu'), () => shown)
    }
  }
  return words
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`)
}
