/** A name of `plugins:` becomes a module to load and the folder whose content is its version. */
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { noEntry, noFolderOfItsOwn, pluginMissing, tooManyFiles } from '../../dsl/problems/plugins.ts'
import type { PluginFault } from '../../dsl/problems/plugins.ts'
import type { JsonObject } from '../../dsl/stage-signature.ts'
import { canonicalJson, digestOf } from '../../engine/artifact.ts'

export interface FoundPlugin {
  /** Of its file, folder or package; in keys and logs it stands for its worker. */
  readonly name: string
  readonly file: string
  readonly folder: string
  /** Of all files of its folder. */
  readonly digest: string
}

const MOST_FILES = 500
/** What tools leave behind, and what belongs to other packages. */
const NOT_CONTENT = /^(?:\.|node_modules$|__pycache__$)|\.pyc$/

/** `plugins/words`, `plugins/words/plugin.mjs` or the name of a package that the project has installed. */
export function findPlugin(root: string, wanted: string): FoundPlugin | PluginFault {
  const isPath = /^[./]|^[^@].*\/|\.mjs$/.test(wanted)
  const path = resolve(root, wanted)
  const place = existsSync(path) ? path : isPath ? null : packageFolder(root, wanted)
  if (place === null) return pluginMissing(wanted, isPath)
  const real = realpathSync(place)
  const file = statSync(real).isDirectory() ? entryOf(real) : real
  if (file === null) return noEntry()
  const folder = statSync(real).isDirectory() ? real : dirname(real)
  if (folder === realpathSync(root)) return noFolderOfItsOwn()
  const digest = folderDigest(folder)
  if (digest === null) return tooManyFiles(MOST_FILES)
  const named = place === path ? basename(file, '.mjs') : wanted
  return {
    name: named === 'plugin' || named === 'index' ? basename(folder) : named,
    file,
    folder,
    digest,
  }
}

/** Of all files below a folder, but for what tools leave there; null if there are too many to be one thing. */
export function folderDigest(folder: string): string | null {
  const files = contentOf(folder)
  if (files.length > MOST_FILES) return null
  return digestOf(canonicalJson(files.map((each) => [relative(folder, each), digestOf(readFileSync(each))])))
}

/** Whether a name is of what tools leave behind, or of other packages. */
export function isNoContent(name: string): boolean {
  return NOT_CONTENT.test(name)
}

/** As Node would look for it, but for packages that hide their package.json, too. */
function packageFolder(root: string, name: string): string | null {
  for (let folder = root; ; folder = dirname(folder)) {
    const place = join(folder, 'node_modules', name)
    if (existsSync(place)) return place
    if (folder === dirname(folder)) return null
  }
}

/** What package.json says, else plugin.mjs. */
function entryOf(folder: string): string | null {
  const manifest = join(folder, 'package.json')
  const facts = existsSync(manifest) ? (JSON.parse(readFileSync(manifest, 'utf8')) as JsonObject) : {}
  const said = [mainExport(facts['exports']), facts['main'], 'plugin.mjs', 'index.mjs']
  const files = said.flatMap((each) => (typeof each === 'string' ? [join(folder, each)] : []))
  return files.find((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true) ?? null
}

function mainExport(exports: unknown): unknown {
  if (typeof exports !== 'object' || exports === null) return exports
  const { import: esm, default: other, '.': main } = exports as Readonly<Record<string, unknown>>
  return mainExport(main ?? esm ?? other)
}

function contentOf(folder: string): readonly string[] {
  const files: string[] = []
  const visit = (at: string): void => {
    const entries = readdirSync(at, { withFileTypes: true })
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (NOT_CONTENT.test(entry.name) || files.length > MOST_FILES) continue
      const path = join(at, entry.name)
      if (entry.isDirectory()) visit(path)
      else if (statSync(path, { throwIfNoEntry: false })?.isFile() === true) files.push(path)
    }
  }
  visit(folder)
  return files
}
