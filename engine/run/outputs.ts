/** From the folders that an attempt filled to artifacts in the store: all are checked before the first file moves. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Stage } from '../../dsl/pipeline.ts'
import type { Artifact } from '../artifact.ts'
import { reach } from '../failpoint.ts'
import { plainFiles } from '../store/blobs.ts'
import type { BlobStore } from '../store/blobs.ts'

export type Taken =
  | { readonly type: 'taken'; readonly outputs: Readonly<Record<string, Artifact>> }
  | { readonly type: 'missing'; readonly port: string }

/** Takes every declared output over, or names one that is missing. Throws for what is no plain file. */
export function takeOutputs(stage: Stage, folder: string, blobs: BlobStore): Taken {
  const folders = Object.entries(stage.outputs).map(([port, type]) => ({
    port,
    type,
    dir: join(folder, port),
  }))
  const empty = folders.find(({ dir }) => !existsSync(dir) || plainFiles(dir).length === 0)
  if (empty !== undefined) return { type: 'missing', port: empty.port }
  reach('outputs-checked')
  const outputs: Record<string, Artifact> = {}
  for (const { port, type, dir } of folders) {
    const { digest, files } = blobs.takeTree(dir)
    outputs[port] = { type, tree: digest, bytes: files.reduce((sum, file) => sum + file.size, 0) }
  }
  reach('outputs-stored')
  return { type: 'taken', outputs }
}
