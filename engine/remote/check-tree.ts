/** A list of files from outside: whether it can be laid out below a folder, and nowhere else. */
import { digestOf, treeText } from '../artifact.ts'
import type { Digest, TreeFile } from '../artifact.ts'

/** The files, or null for a list that we would not have written: other form, paths that lead out, names in each other's way. */
export function checkedTree(bytes: Uint8Array, digest: Digest): readonly TreeFile[] | null {
  let files: readonly TreeFile[]
  try {
    files = JSON.parse(Buffer.from(bytes).toString()) as readonly TreeFile[]
    // The one form that we write; thereby every entry has its three fields and no other.
    if (digestOf(treeText(files)) !== digest) return null
  } catch {
    return null
  }
  if (!files.every(isFile)) return null
  const paths = new Set(files.map(({ path }) => path))
  if (paths.size < files.length) return null
  const folders = files.flatMap(({ path }) => foldersOf(path))
  return folders.some((folder) => paths.has(folder)) ? null : files
}

function isFile({ path, size, digest }: TreeFile): boolean {
  return (
    typeof path === 'string' &&
    path.split('/').every(isName) &&
    Number.isSafeInteger(size) &&
    size >= 0 &&
    /^sha256:[0-9a-f]{64}$/.test(digest)
  )
}

function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[\\\0]/.test(name)
}

function foldersOf(path: string): readonly string[] {
  const parts = path.split('/')
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join('/'))
}
