/** Finds the files of a pipeline's sources and digests them by content. */
import { statSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import type { PipelineSource, SourceSchema } from '../../dsl/pipeline.ts'
import type { RowFields } from '../../workers/protocol/messages.ts'
import { canonicalJson, mergedTreeDigest, treeOf } from '../artifact.ts'
import type { Digest, Tree, TreeFile } from '../artifact.ts'
import type { FoundSource } from '../environment.ts'
import type { StatCache } from '../store/stat-cache.ts'
import { allSettled, columnOf, digestListing, sealOf, treeFiles } from './digest-source.ts'
import type { Digested } from './digest-source.ts'
import { listFiles, Listing, listPattern, Unreachable } from './listing.ts'
import { EVERYTHING, patternOf } from './pattern.ts'

export type SourceLookup = FoundSource | { readonly missing: string }

const GLOB_CHARACTERS = /[*?[\]{}]/

/** Looks a source up; `missing` says which path or pattern found nothing. An optional source may be empty. */
export async function findSource(
  source: PipelineSource,
  root: string,
  stats: StatCache,
): Promise<SourceLookup> {
  const listings = await listingsOf(source, root)
  if ('missing' in listings) return listings
  const { schema } = source
  const dir = commonFolder(listings.values(), root)
  const insideDir = (path: string): string => relativeTo(dir, root, path)
  const splits = typeof source.from === 'string' ? null : source.from
  let count = 0
  for (const listing of listings.values()) count += listing.count
  let files: readonly string[] | null = null
  const { digest, seal } = await digestOfSource({ source, root, listings, inside: insideDir }, stats)
  return {
    digest,
    dir,
    count,
    get files() {
      return (files ??= [...listings.values()]
        .flatMap((listing) => [...listing.paths()].map(insideDir))
        .sort())
    },
    ...(splits === null
      ? {}
      : {
          get splits() {
            const paths = (listing: Listing): readonly string[] => [...listing.paths()].map(insideDir)
            return Object.fromEntries([...listings].map(([split, listing]) => [split, paths(listing)]))
          },
        }),
    ...(schema === undefined ? {} : { fields: fieldsOf(schema) }),
    isUnchanged: async () => {
      const now = await listingsOf(source, root)
      if ('missing' in now) return false
      if (sealOf(now) === seal) return true
      // Touched, or written with the same bytes.
      const again = await findSource(source, root, stats)
      return 'digest' in again && again.digest === digest
    },
  }
}

/** Some files of a source as they are now, none of them read. */
export async function filesOfSource(
  source: PipelineSource,
  root: string,
  most: number,
): Promise<readonly string[]> {
  const listings = await listingsOf(source, root)
  if ('missing' in listings) return []
  const files: string[] = []
  for (const listing of listings.values())
    for (const path of listing.paths()) {
      if (files.length === most) return files
      files.push(absoluteIn(root, path))
    }
  return files
}

/** The files of a source by content, without what its splits and fields add to its digest. */
export async function sourceTree(source: PipelineSource, root: string, stats: StatCache): Promise<Tree> {
  const listings = await listingsOf(source, root)
  if ('missing' in listings) throw new Error(`${listings.missing} is gone`)
  const dir = commonFolder(listings.values(), root)
  const digested = await digestAll({ source, root, listings }, stats)
  return treeOf(digested.flatMap((each) => [...treeFiles(each, (path) => relativeTo(dir, root, path))]))
}

interface Listed {
  readonly source: PipelineSource
  readonly root: string
  /** Split, or '' for a source without splits -> its files. */
  readonly listings: ReadonlyMap<string, Listing>
}

async function digestOfSource(
  listed: Listed & { readonly inside: (path: string) => string },
  stats: StatCache,
): Promise<{ readonly digest: Digest; readonly seal: string }> {
  const { source, listings, inside } = listed
  const marks = canonicalJson({ ...source.schema })
  const known = stats.summary(nameOf(source))
  if (known?.marks === marks && known.seal !== null) {
    const seal = sealOf(listings)
    if (known.seal === seal) return { digest: known.digest, seal }
  }
  const digested = await digestAll(listed, stats)
  const digest = mergedTreeDigest([
    ...digested.map((each) => treeFiles(each, inside)),
    ...marksOf(listed, inside),
  ])
  // After the hashing, which saw files that changed meanwhile.
  const seal = sealOf(listings)
  const summary = { seal: digested.every(allSettled) ? seal : null, marks, digest }
  stats.write(nameOf(source), summary, digested.map(columnOf))
  return { digest, seal }
}

async function digestAll({ source, root, listings }: Listed, stats: StatCache): Promise<readonly Digested[]> {
  // Each is let go when it has been used: of a million files it takes a hundred megabytes.
  const columns = [...stats.columns(nameOf(source))]
  const digested: Digested[] = []
  for (const listing of listings.values())
    digested.push(await digestListing(listing, columns.shift(), (path) => absoluteIn(root, path)))
  return digested
}

function nameOf({ from }: PipelineSource): string {
  return canonicalJson(from)
}

/** Which file is which split, and which field is the prompt, is part of the content. */
function* marksOf(
  { source, listings }: Listed,
  inside: (path: string) => string,
): Generator<Iterable<TreeFile>> {
  const marked = function* (texts: Iterable<string>): Generator<TreeFile> {
    for (const path of texts) yield { path, size: 0, digest: '' as Digest }
  }
  if (typeof source.from !== 'string')
    for (const [split, listing] of listings)
      yield marked(mapped(listing.paths(), (path) => `${split}: ${inside(path)}`))
  yield marked(
    Object.entries(source.schema ?? {})
      .map(([role, field]) => `schema.${role}: ${field}`)
      .sort(),
  )
}

function* mapped<T, U>(items: Iterable<T>, change: (item: T) => U): Generator<U> {
  for (const item of items) yield change(item)
}

function fieldsOf({ input, output, id }: SourceSchema): RowFields {
  return { prompt: input, response: output, ...(id === undefined ? {} : { id }) }
}

async function listingsOf(
  source: PipelineSource,
  root: string,
): Promise<ReadonlyMap<string, Listing> | { readonly missing: string }> {
  const patterns = typeof source.from === 'string' ? { '': source.from } : source.from
  const listings = new Map<string, Listing>()
  for (const [split, from] of Object.entries(patterns)) {
    try {
      const listing = await list(from, root)
      if (listing.count === 0 && !source.optional) return { missing: from }
      listings.set(split, listing)
    } catch (error) {
      if (error instanceof Unreachable) return { missing: error.path }
      throw error
    }
  }
  return listings
}

async function list(from: string, root: string): Promise<Listing> {
  const path = resolve(root, from)
  const stat = statOf(path)
  if (stat?.isFile()) return listFiles(root, [inRoot(path, root)])
  if (stat?.isDirectory()) return listPattern(root, { base: inRoot(path, root), steps: EVERYTHING })
  if (!GLOB_CHARACTERS.test(from)) return new Listing()
  const pattern = patternOf(from)
  const base = pattern === null ? root : resolve(root, pattern.base)
  if (pattern !== null && statOf(base)?.isDirectory())
    return listPattern(root, { ...pattern, base: inRoot(base, root) })
  const { glob } = await import('tinyglobby')
  const files = await glob(from, { cwd: root, onlyFiles: true })
  return listFiles(root, files.map((file) => inRoot(resolve(root, file), root)).sort())
}

function statOf(path: string): Stats | null {
  try {
    return statSync(path)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
}

function inRoot(path: string, root: string): string {
  return relative(root, path).replaceAll('\\', '/')
}

function absoluteIn(root: string, path: string): string {
  return isAbsolute(path) ? path : join(root, path)
}

/** A path below the root as it is called in the folder of its source, which is above it. */
function relativeTo(dir: string, root: string, path: string): string {
  const prefix = dir.length + (dir.endsWith('/') ? 0 : 1)
  return absoluteIn(root, path).slice(prefix)
}

/** The innermost folder that holds all files; the root if there are none. */
function commonFolder(listings: Iterable<Listing>, root: string): string {
  let common: string | null = null
  for (const { stretches } of listings)
    for (const { folder: relativeFolder } of stretches) {
      const folder = resolve(root, relativeFolder)
      common ??= folder
      while (folder !== common && !folder.startsWith(common === '/' ? common : `${common}/`))
        common = dirname(common)
    }
  return common ?? root
}
