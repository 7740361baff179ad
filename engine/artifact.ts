/** Names for bytes: digests, trees of files, and what a stage left behind. */
import { createHash } from 'node:crypto'
import type { ArtifactType, Json } from '../dsl/stage-signature.ts'

const TEXT_AT_ONCE = 64 * 1024

/** `sha256:` and 64 hex digits. */
export type Digest = string & { readonly digest: unique symbol }

export interface TreeFile {
  /** Path below the tree's root, with `/`. */
  readonly path: string
  readonly size: number
  readonly digest: Digest
}

/** A directory by content: its files sorted by path, and the digest of that list. */
export interface Tree {
  readonly digest: Digest
  readonly files: readonly TreeFile[]
}

export interface Artifact {
  readonly type: ArtifactType
  readonly tree: Digest
  readonly bytes: number
}

export function digestOf(bytes: string | Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest
}

/** The canonical list of a tree; its SHA-256 is the tree's digest. */
export function treeText(files: readonly TreeFile[]): string {
  return `[${files.map(fileText).join(',')}]`
}

/** As canonical JSON. */
function fileText({ path, size, digest }: TreeFile): string {
  return `{"digest":${JSON.stringify(digest)},"path":${JSON.stringify(path)},"size":${String(size)}}`
}

export function treeOf(files: readonly TreeFile[]): Tree {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
  return { digest: digestOf(treeText(sorted)), files: sorted }
}

/** The digest of a tree whose files come in several sorted rows, without a list of them all in memory. */
export function mergedTreeDigest(rows: Iterable<Iterable<TreeFile>>): Digest {
  const hash = createHash('sha256')
  let text = '['
  for (const file of merged(rows)) {
    text += `${text === '[' ? '' : ','}${fileText(file)}`
    if (text.length < TEXT_AT_ONCE) continue
    hash.update(text)
    text = ''
  }
  return `sha256:${hash.update(`${text}]`).digest('hex')}` as Digest
}

/** Of equal paths that of the earlier row comes first. */
function* merged(rows: Iterable<Iterable<TreeFile>>): Generator<TreeFile> {
  const heads = [...rows].map((row) => {
    const files = row[Symbol.iterator]()
    return { files, next: files.next() }
  })
  for (;;) {
    let first: TreeFile | null = null
    let from = heads[0]
    for (const head of heads) {
      if (head.next.done === true || (first !== null && first.path <= head.next.value.path)) continue
      first = head.next.value
      from = head
    }
    if (first === null || from === undefined) return
    yield first
    from.next = from.files.next()
  }
}

/** JSON in one form: object keys sorted by code unit, arrays in their order, no white space (after RFC 8785). */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`
  }
  return JSON.stringify(value)
}
