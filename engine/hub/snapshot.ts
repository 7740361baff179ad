/**
 * What lies here of a model from a hub, by repository and commit. Every name appears when what it stands for is whole:
 *
 *   hub/models--ORG--NAME/refs/<revision>         the commit that it was when this machine first asked
 *   hub/models--ORG--NAME/<commit>/small/         configuration and tokenizer
 *   hub/models--ORG--NAME/<commit>/listing.json   all files by content; written when every one is known by SHA-256
 *   hub/models--ORG--NAME/<commit>/whole/         the model
 *   hub/models--ORG--NAME/<commit>/links.json     what of it is linked, as it looked when it was hashed
 *   hub/models--ORG--NAME/<commit>/fetching/      what is under way; the next try goes on with it
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isCommit } from '../../dsl/hub-address.ts'
import { treeOf } from '../artifact.ts'
import type { Digest, Tree, TreeFile } from '../artifact.ts'
import { touchFile, writeAtomic } from '../store/atomic.ts'
import { isWeights } from './model-files.ts'

export interface Places {
  readonly small: string
  readonly whole: string
  readonly fetching: string
  readonly listing: string
  readonly links: string
}

export function folderName(repository: string): string {
  return `models--${repository.replace('/', '--')}`
}

export function placesOf(stateDir: string, repository: string, commit: string): Places {
  const folder = join(stateDir, 'hub', folderName(repository), commit)
  const at = (name: string) => join(folder, name)
  return {
    ...{ small: at('small'), whole: at('whole'), fetching: at('fetching') },
    ...{ listing: at('listing.json'), links: at('links.json') },
  }
}

/** The commit that a revision was when this machine first asked; null if it never did. */
export function knownCommit(stateDir: string, repository: string, revision: string): string | null {
  return commitIn(refPath(stateDir, repository, revision))
}

export function keepCommit(stateDir: string, repository: string, revision: string, commit: string): void {
  writeAtomic(refPath(stateDir, repository, revision), `${commit}\n`)
}

function refPath(stateDir: string, repository: string, revision: string): string {
  return join(stateDir, 'hub', folderName(repository), 'refs', encodeURIComponent(revision))
}

export function commitIn(path: string): string | null {
  if (!existsSync(path)) return null
  const commit = readFileSync(path, 'utf8').trim()
  return isCommit(commit) ? commit : null
}

/** All files of the model by content; null if they are not known here, or are not those that are expected. */
export function readListing(places: Places, expected: Digest | null): Tree | null {
  const tree = listingIn(places.listing)
  if (tree === null || (expected !== null && tree.digest !== expected)) return null
  return isWhole(places.small, smallTree(tree)) ? tree : null
}

function listingIn(path: string): Tree | null {
  if (!existsSync(path)) return null
  try {
    const { format, files } = JSON.parse(readFileSync(path, 'utf8')) as {
      format: number
      files: readonly TreeFile[]
    }
    return format === 1 ? treeOf(files) : null
  } catch {
    // Torn by the loss of power: it is made again.
    return null
  }
}

export function writeListing({ listing }: Places, files: readonly TreeFile[]): void {
  writeAtomic(listing, `${JSON.stringify({ format: 1, files }, null, 1)}\n`)
}

/** For `gc`: a pipeline without a lock names no commit. */
export function markUsed({ listing }: Places): void {
  try {
    touchFile(listing)
  } catch {
    // Another user's folder, or one that is read-only: what lies there can be used all the same.
  }
}

/** What a rehearsal needs. */
export function smallTree({ files }: Tree): Tree {
  return treeOf(files.filter(({ path }) => !isWeights(path)))
}

export function bytesIn({ files }: { readonly files: readonly { readonly size: number }[] }): number {
  return files.reduce((sum, { size }) => sum + size, 0)
}

/** Whether every file lies there at its full length: one that leads into another cache may be gone with it. */
export function isWhole(
  folder: string,
  { files }: { readonly files: readonly Pick<TreeFile, 'path' | 'size'>[] },
): boolean {
  return files.every(
    ({ path, size }) => statSync(join(folder, path), { throwIfNoEntry: false })?.size === size,
  )
}
