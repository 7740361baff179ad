/** Story and store -> the folder of an export. */
import { resolve } from 'node:path'
import type { JsonObject } from '../../dsl/stage-signature.ts'
import type { BlobStore } from '../store/blobs.ts'
import { cardsOf } from './card.ts'
import { placeFolder, VERIFY } from './folder.ts'
import type { Content, Placed } from './folder.ts'
import type { Story } from './story.ts'

/** Writes what the story tells of into `to`, an absolute path. One at a time for a folder. */
export async function handOut(story: Story, to: string, blobs: BlobStore): Promise<Placed> {
  const cards = cardsOf(story)
  const tree = story.artifact === null ? null : blobs.openTree(story.artifact.tree)
  if (tree !== null && 'lost' in tree) return { type: 'refused', message: tree.lost, help: VERIFY }
  const contents: Content[] = [...cards].map(([path, text]) => ({ path, text }))
  for (const { path, digest, size } of tree?.files ?? [])
    // A card that came with an adapter from outside gives way to ours.
    if (!cards.has(path)) contents.push({ path, digest, size, from: blobs.pathOf(digest) })
  const { artifact, pipeline, format, anyway } = story
  const about: JsonObject = {
    pipeline,
    format,
    artifact: artifact?.tree ?? null,
    keys: Object.fromEntries(story.stages.map(({ stage, key }) => [stage, key])),
    gates: Object.fromEntries(story.gates.map(({ gate, verdict }) => [gate, verdict])),
    anyway,
  }
  return placeFolder(resolve(to), contents, { owner: pipeline, about })
}
