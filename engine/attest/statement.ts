/** A verdict about certain files as an in-toto statement, and what a reader of one has to check. */
import { readdirSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { JsonObject } from '../../dsl/stage-signature.ts'
import { canonicalJson, digestOf, treeOf } from '../artifact.ts'
import type { Tree, TreeFile } from '../artifact.ts'
import { hashFile } from '../store/digest.ts'

export const PAYLOAD_TYPE = 'application/vnd.in-toto+json'
const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1'
/** Described in docs/gates-in-ci.md. */
export const PREDICATE_TYPE = 'sluice:gate-verdict/v1'
/** The digest of a directory: SHA-256 of the sorted list of its files. */
const TREE_DIGEST = 'sluice_tree_v1'

export interface Subject {
  /** `lora-train.adapter`. */
  readonly name: string
  readonly tree: Tree
}

/** The bytes to sign; the same verdict about the same files gives the same bytes. */
export function statementBytes(subjects: readonly Subject[], predicate: JsonObject): Buffer {
  const subject = subjects.flatMap(({ name, tree }) => [
    { name, digest: { [TREE_DIGEST]: hex(tree.digest) } },
    ...tree.files.map((file) => ({ name: `${name}/${file.path}`, digest: { sha256: hex(file.digest) } })),
  ])
  const statement = { _type: STATEMENT_TYPE, subject, predicateType: PREDICATE_TYPE, predicate }
  return Buffer.from(canonicalJson(statement))
}

const hex = (digest: string) => digest.replace(/^sha256:/, '')

export interface Statement {
  readonly subjects: readonly { readonly name: string; readonly digest: Readonly<Record<string, string>> }[]
  readonly predicate: Readonly<Record<string, unknown>>
}

/** The statement, or why it is none of ours. */
export function readStatement(bytes: Uint8Array): Statement | { readonly problem: string } {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return { problem: 'its payload is not JSON' }
  }
  const record = (value ?? {}) as Readonly<Record<string, unknown>>
  const { _type: type, predicateType, predicate, subject } = record
  if (type !== STATEMENT_TYPE) return { problem: 'its payload is no in-toto statement (v1)' }
  if (predicateType !== PREDICATE_TYPE)
    return {
      problem: `it states something else: ${JSON.stringify(predicateType ?? null)}, not ${PREDICATE_TYPE}`,
    }
  if (typeof predicate !== 'object' || predicate === null || !Array.isArray(subject))
    return { problem: 'it lacks a subject or a predicate' }
  const subjects = (subject as unknown[]).map((each) => {
    const { name, digest } = (each ?? {}) as Readonly<Record<string, unknown>>
    return {
      name: typeof name === 'string' ? name : '',
      digest: (typeof digest === 'object' && digest !== null ? digest : {}) as Readonly<
        Record<string, string>
      >,
    }
  })
  return { subjects, predicate: predicate as Readonly<Record<string, unknown>> }
}

/**
 * How a directory differs from the subject that it should be; empty if it has exactly its files. Of several subjects
 * the one that it has most in common with is meant.
 */
export function differencesTo(statement: Statement, dir: string): readonly string[] {
  const here = treeAt(dir)
  const roots = statement.subjects.filter(({ digest }) => digest[TREE_DIGEST] !== undefined)
  if (roots.length === 0) return ['it names no directory']
  if (roots.some(({ digest }) => digest[TREE_DIGEST] === hex(here.digest))) return []
  const compared = roots.map(({ name }) => fileDifferences(statement, name, here))
  return compared.sort((a, b) => a.length - b.length)[0] ?? []
}

function fileDifferences(statement: Statement, root: string, here: Tree): readonly string[] {
  const stated = new Map(
    statement.subjects.flatMap(({ name, digest }) =>
      name.startsWith(`${root}/`) ? [[name.slice(root.length + 1), digest['sha256']] as const] : [],
    ),
  )
  const found = new Map(here.files.map((file) => [file.path, hex(file.digest)]))
  const paths = [...new Set([...stated.keys(), ...found.keys()])].sort()
  const words = paths.flatMap((path) => {
    if (!found.has(path)) return [`${path} is missing`]
    if (!stated.has(path)) return [`${path} is not part of what was judged`]
    return found.get(path) === stated.get(path) ? [] : [`${path} has other content`]
  })
  return words.length > 0 ? words : [`its list of files is another than that of ${root}`]
}

/** The files of a directory by content. A link counts as the file it points at; any other link fits nothing. */
function treeAt(dir: string): Tree {
  const files: TreeFile[] = []
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue
    const path = join(entry.parentPath, entry.name)
    const stat = statSync(path, { throwIfNoEntry: false })
    const [size, digest] = stat?.isFile() ? [stat.size, hashFile(path)] : [0, digestOf('')]
    files.push({ path: relative(dir, path).replaceAll('\\', '/'), size, digest })
  }
  return treeOf(files)
}
