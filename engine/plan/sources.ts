/** Finds the files of a pipeline's sources and digests them by content. */
import { statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import type { PipelineSource, SourceSchema } from '../../dsl/pipeline.ts'
import type { RowFields } from '../../workers/protocol/messages.ts'
import { treeOf } from '../artifact.ts'
import type { Tree, TreeFile } from '../artifact.ts'
import type { FoundSource } from '../environment.ts'
import type { StatCache } from '../store/digest.ts'

export type SourceLookup = FoundSource | { readonly missing: string }

const GLOB_CHARACTERS = /[*?[\]{}]/

/** Looks a source up; `missing` says which path or pattern found nothing. An optional source may be empty. */
export async function findSource(
  source: PipelineSource,
  root: string,
  stats: StatCache,
): Promise<SourceLookup> {
  const patterns = typeof source.from === 'string' ? { '': source.from } : source.from
  const found: Record<string, readonly string[]> = {}
  for (const [split, pattern] of Object.entries(patterns)) {
    const files = await filesOf(pattern, root)
    if (files.length === 0 && !source.optional) return { missing: pattern }
    found[split] = files
  }
  const all = Object.values(found).flat()
  const dir = commonFolder(all) ?? root
  const inside = (path: string) => relative(dir, path).replaceAll('\\', '/')
  const files = treeOf(all.map((path): TreeFile => ({ path: inside(path), ...stats.digest(path) })))
  const splits =
    typeof source.from === 'string'
      ? null
      : Object.fromEntries(Object.entries(found).map(([split, paths]) => [split, paths.map(inside)]))
  const { schema } = source
  const marks = [
    ...Object.entries(splits ?? {}).flatMap(([split, paths]) => paths.map((path) => `${split}: ${path}`)),
    ...Object.entries(schema ?? {}).map(([role, field]) => `schema.${role}: ${field}`),
  ]
  return {
    digest: marks.length === 0 ? files.digest : treeOf([...files.files, ...marks.map(mark)]).digest,
    dir,
    files: files.files.map((file) => file.path),
    ...(splits === null ? {} : { splits }),
    ...(schema === undefined ? {} : { fields: fieldsOf(schema) }),
  }
}

/** The files of a source as they are now, none of them read. */
export async function filesOfSource(source: PipelineSource, root: string): Promise<readonly string[]> {
  const patterns = typeof source.from === 'string' ? [source.from] : Object.values(source.from)
  return (await Promise.all(patterns.map((pattern) => filesOf(pattern, root)))).flat()
}

/** Which file is which split, and which field is the prompt, is part of the content. */
function mark(text: string): TreeFile {
  return { path: text, size: 0, digest: '' as TreeFile['digest'] }
}

function fieldsOf({ input, output, id }: SourceSchema): RowFields {
  return { prompt: input, response: output, ...(id === undefined ? {} : { id }) }
}

/** The files of a source by content, without what its splits and fields add to its digest. */
export function sourceTree({ dir, files }: FoundSource, stats: StatCache): Tree {
  return treeOf(files.map((path): TreeFile => ({ path, ...stats.digest(join(dir, path)) })))
}

async function filesOf(pattern: string, root: string): Promise<readonly string[]> {
  const path = resolve(root, pattern)
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat?.isFile()) return [path]
  if (stat === undefined && !GLOB_CHARACTERS.test(pattern)) return []
  const { glob } = await import('tinyglobby')
  const files = await glob(stat?.isDirectory() ? '**' : pattern, {
    cwd: stat?.isDirectory() ? path : root,
    onlyFiles: true,
  })
  return files.map((file) => join(stat?.isDirectory() ? path : root, file)).sort()
}

function commonFolder(paths: readonly string[]): string | null {
  const [first, ...others] = paths.map((path) => dirname(path))
  if (first === undefined) return null
  let common = first
  for (const folder of others)
    while (folder !== common && !folder.startsWith(common === '/' ? common : `${common}/`))
      common = dirname(common)
  return common
}
