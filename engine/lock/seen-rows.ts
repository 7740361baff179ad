/** How many of the rows that a model is judged on it was trained on: an earlier model may have seen the new test rows. */
import type { Digest } from '../artifact.ts'
import type { Facts } from '../lock-file.ts'
import type { BlobStore } from '../store/blobs.ts'

export interface SeenRows {
  readonly seen: number
  readonly of: number
}

/**
 * `trained` is what the lock says of the stage that trained; `metrics` is the artifact of the measurement. Null if
 * this store has the rows of only one of them.
 */
export function seenRows(trained: Facts | undefined, metrics: Digest, blobs: BlobStore): SeenRows | null {
  const judged = idsIn(metrics, 'rows.jsonl', blobs)
  const learnt = Object.entries(trained ?? {}).flatMap(([fact, digest]) =>
    fact.startsWith('input.') && typeof digest === 'string'
      ? (idsIn(digest as Digest, 'train.jsonl', blobs) ?? [])
      : [],
  )
  if (judged === null || learnt.length === 0) return null
  const known = new Set(learnt)
  return { seen: judged.filter((id) => known.has(id)).length, of: judged.length }
}

function idsIn(digest: Digest, file: string, blobs: BlobStore): readonly string[] | null {
  const tree = blobs.openTree(digest)
  const text = 'lost' in tree ? null : blobs.readFile(tree, file)
  if (text === null) return null
  const lines = text.split('\n').filter((line) => line !== '')
  return lines.map((line) => (JSON.parse(line) as { readonly id: string }).id)
}
