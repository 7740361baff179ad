/** A folder or pattern -> its files in path order with what `stat` says of each, held in little memory. */
import { readdirSync, statSync } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { dirname, join } from 'node:path'
import { Stamps } from '../store/stamps.ts'
import { enter, matches, start } from './pattern.ts'
import type { Pattern, Places } from './pattern.ts'

/** Files of one folder that follow one another; a path is only put together when somebody asks for it. */
interface Stretch {
  /** '' or a path with `/` at its end. */
  readonly folder: string
  readonly names: string[]
}

export class Listing {
  readonly stretches: Stretch[] = []
  readonly stamps = new Stamps()

  get count(): number {
    return this.stamps.count
  }

  add(folder: string, name: string, stat: BigIntStats): void {
    let last = this.stretches.at(-1)
    if (last?.folder !== folder) this.stretches.push((last = { folder, names: [] }))
    last.names.push(name)
    this.stamps.push(stat)
  }

  *paths(): Generator<string> {
    for (const { folder, names } of this.stretches) for (const name of names) yield folder + name
  }
}

/** A link that leads nowhere, or a name that cannot be read: to go on without it would lose data in silence. */
export class Unreachable extends Error {
  readonly path: string
  constructor(path: string) {
    super(`${path} cannot be reached`)
    this.path = path
  }
}

/** Walks the pattern's folder. Paths are relative to the root, sorted by code unit; links are followed, not in circles. */
export function listPattern(root: string, { base, steps }: Pattern): Listing {
  const listing = new Listing()
  const visit = (folder: string, places: Places): void => {
    for (const { name, kind, stat } of entriesOf(root, folder)) {
      if (kind === 'folder') {
        const inside = enter(steps, places, name)
        if (inside.length === 0 || (stat !== null && leadsBack(root, folder, stat))) continue
        visit(`${folder}${name}/`, inside)
      } else if (matches(steps, places, name)) {
        if (kind === 'nothing') throw new Unreachable(folder + name)
        const found = stat ?? statFile(root, folder + name)
        if (found !== null) listing.add(folder, name, found)
      }
    }
  }
  visit(base === '' || base.endsWith('/') ? base : `${base}/`, start(steps))
  return listing
}

/** Files that somebody else found, relative to the root and sorted. */
export function listFiles(root: string, paths: Iterable<string>): Listing {
  const listing = new Listing()
  for (const path of paths) {
    const stat = statFile(root, path)
    const cut = path.lastIndexOf('/') + 1
    if (stat !== null) listing.add(path.slice(0, cut), path.slice(cut), stat)
  }
  return listing
}

interface Entry {
  readonly name: string
  /** `nothing`: a link that leads nowhere. */
  readonly kind: 'file' | 'folder' | 'nothing'
  /** Known only for links, which have to be followed to know what they are. */
  readonly stat: BigIntStats | null
}

/** Files and folders in the order of the paths that they begin. */
function entriesOf(root: string, folder: string): readonly Entry[] {
  const entries: Entry[] = []
  for (const entry of readdirSync(pathOf(root, folder), { withFileTypes: true })) {
    const { name } = entry
    if (entry.isFile()) entries.push({ name, kind: 'file', stat: null })
    else if (entry.isDirectory()) entries.push({ name, kind: 'folder', stat: null })
    else if (entry.isSymbolicLink()) {
      const stat = statSync(pathOf(root, folder + name), { bigint: true, throwIfNoEntry: false }) ?? null
      if (stat === null) entries.push({ name, kind: 'nothing', stat })
      else if (stat.isFile()) entries.push({ name, kind: 'file', stat })
      else if (stat.isDirectory()) entries.push({ name, kind: 'folder', stat })
    }
  }
  const keyOf = ({ name, kind }: Entry): string => (kind === 'folder' ? `${name}/` : name)
  // The system sorts names by byte, which nearly always is this order already.
  for (let i = 1; i < entries.length; i++)
    if (keyOf(entries[i - 1] as Entry) > keyOf(entries[i] as Entry))
      return entries.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  return entries
}

/** Null for a file that was removed since its folder was read. */
function statFile(root: string, path: string): BigIntStats | null {
  const stat = statSync(pathOf(root, path), { bigint: true, throwIfNoEntry: false })
  // A name that is no UTF-8 comes with this mark in place of its bytes, and is found by nobody.
  if (stat === undefined && path.includes('\ufffd')) throw new Unreachable(path)
  return stat ?? null
}

/** Whether a link in `folder` leads to a folder above it, where a walk would never end. */
function leadsBack(root: string, folder: string, target: BigIntStats): boolean {
  for (let at = pathOf(root, folder); ; at = dirname(at)) {
    const { dev, ino } = statSync(at, { bigint: true })
    if (dev === target.dev && ino === target.ino) return true
    if (at === dirname(at)) return false
  }
}

function pathOf(root: string, path: string): string {
  return path.startsWith('/') ? path : path.startsWith('../') ? join(root, path) : `${root}/${path}`
}
