/** From the folders that an attempt filled to artifacts in the store: all are checked before the first file moves. */
import { existsSync } from 'node:fs'
import type { Stage } from '../../dsl/pipeline.ts'
import type { Artifact } from '../artifact.ts'
import { reach } from '../failpoint.ts'
import { plainFiles } from '../store/blobs.ts'
import type { BlobStore } from '../store/blobs.ts'
import { takeTrees } from '../store/intake.ts'

export type Taken =
  | {
      readonly type: 'taken'
      readonly outputs: Readonly<Record<string, Artifact>>
      /** To be flushed before a record names the outputs. */
      readonly folders: readonly string[]
    }
  | { readonly type: 'missing'; readonly port: string }

/** Takes every declared output over, or names one that is missing. Throws for what is no plain file. */
export async function takeOutputs(
  stage: Stage,
  folderOf: (port: string) => string,
  blobs: BlobStore,
): Promise<Taken> {
  const ports = Object.keys(stage.outputs)
  const folders = ports.map(folderOf)
  const empty = folders.findIndex((dir) => !existsSync(dir) || plainFiles(dir).length === 0)
  if (empty >= 0) return { type: 'missing', port: ports[empty] ?? '' }
  reach('outputs-checked')
  const taken = await takeTrees(folders, blobs)
  const outputs: Record<string, Artifact> = {}
  for (const [i, [port, type]] of Object.entries(stage.outputs).entries()) {
    const tree = taken.trees[i]
    if (tree !== undefined)
      outputs[port] = { type, tree: tree.digest, bytes: tree.files.reduce((sum, { size }) => sum + size, 0) }
  }
  reach('outputs-stored')
  return { type: 'taken', outputs, folders: taken.folders }
}
