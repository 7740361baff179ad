/** An `export` of a run: what its gates let pass goes to its folder, on every run, under a right of its own. */
import { join, relative, resolve } from 'node:path'
import { exportFolder } from '../../dsl/export-folder.ts'
import type { Stage } from '../../dsl/pipeline.ts'
import type { JsonObject } from '../../dsl/stage-signature.ts'
import { canonicalJson, digestOf } from '../artifact.ts'
import type { Digest } from '../artifact.ts'
import { handOut } from '../export/hand-out.ts'
import { gatesBefore, storyOf } from '../export/story.ts'
import type { Archive, Format } from '../export/story.ts'
import type { Result } from '../store/results.ts'
import type { AttemptOutcome } from './attempt.ts'
import { isOvertaken } from './overtaken.ts'
import type { Claim } from './overtaken.ts'
import type { Owner } from './owner.ts'
import type { Rights } from './rights.ts'

export interface HandedOut {
  readonly type: 'exported'
  readonly result: Result
  /** Below the project. */
  readonly to: string
  /** False if the folder was as it should be already. */
  readonly written: boolean
  readonly note: string | null
}

/** Another run with newer files has ended: the folder is left to it. */
export interface LeftOut {
  readonly type: 'left-out'
  readonly because: string
}

/** The right to write to a folder, whoever does. */
export function rightOf(root: string, to: string): string {
  const path = relative(root, resolve(root, to)).replaceAll('\\', '/')
  return `export-${digestOf(path).slice('sha256:'.length, 'sha256:'.length + 16)}`
}

export async function exportStage(
  stage: Stage,
  archive: Archive,
  place: { readonly root: string; readonly rights: Rights; readonly claim: Claim },
  waiting: (holder: Owner) => void,
  signal: AbortSignal,
): Promise<HandedOut | LeftOut | AttemptOutcome> {
  const format = stage.with['format'] as Format
  const wanted = { adapter: ['adapter'], merged: ['model'], card: ['adapter', 'model'] }[format]
  const from = wanted.flatMap((port) => stage.inputs[port] ?? [])
  const story = storyOf({ format, from, gates: gatesBefore(stage, archive.pipeline) }, archive, null)
  const to = exportFolder(stage.with['to'], archive.pipeline.name)
  const right = await place.rights.take(rightOf(place.root, to), waiting, signal)
  try {
    if (await isOvertaken(place.claim))
      return { type: 'left-out', because: `another run with newer files has ended: ${to} is left to it` }
    const placed = await handOut(story, join(place.root, to), archive.blobs)
    if (placed.type === 'refused')
      return {
        type: 'failed',
        cause: 'input',
        message: `nothing was exported to ${to}: ${placed.message}`,
        help: placed.help,
        log: null,
      }
    const { files, bytes, note } = placed
    const summary: JsonObject = { to, files, bytes }
    return {
      type: 'exported',
      result: resultOf(story, summary),
      to,
      written: placed.type === 'written',
      note,
    }
  } finally {
    right.release()
  }
}

/** It makes nothing that others read; its key names what it wrote. */
function resultOf(story: object, summary: JsonObject): Result {
  const key: Digest = digestOf(canonicalJson(JSON.parse(JSON.stringify(story)) as JsonObject))
  return { format: 1, key, manifest: {}, outputs: {}, summary, durationMs: 0, provenance: {} }
}
