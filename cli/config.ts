/** `sluice.config.yaml`: what holds for all pipelines of a project. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Checked, Diagnostic } from '../dsl/diagnostic.ts'
import { A, kindOf } from '../dsl/problems/nouns.ts'
import { badCount } from '../dsl/problems/run-settings.ts'
import { words } from '../dsl/problems/problem.ts'
import { badName, unknownKey } from '../dsl/problems/text.ts'
import { wrongType } from '../dsl/problems/values.ts'
import { readYaml } from '../dsl/read-yaml.ts'
import { isSlug } from '../dsl/slug.ts'
import type { Span } from '../dsl/source.ts'
import { isText, plainValue } from '../dsl/tree.ts'
import type { Node } from '../dsl/tree.ts'
import { CONFIG_FILE } from './config-file.ts'
import { remoteConfigOf } from './remote-config.ts'
import type { RemoteConfig } from './remote-config.ts'

const KEYS: readonly string[] = ['version', 'default_branch', 'resources', 'cache', 'plugins']

const LIST_OF_PLUGINS = words('a list of paths and packages', '路径和包名的列表')

/** What a project without a configuration has. */
const NOTHING_SAID: Config = { defaultBranch: null, resources: {}, remote: null, plugins: [] }

export interface Config {
  /** The branch whose passing runs are `main`; null lets git say. */
  readonly defaultBranch: string | null
  /** The user's own resources, such as licences: how many of each there are. */
  readonly resources: Readonly<Record<string, number>>
  /** The cache that is shared with others. */
  readonly remote: RemoteConfig | null
  /** Paths and package names, as written. */
  readonly plugins: readonly { readonly name: string; readonly span: Span }[]
}

/** An absent file says nothing. A key that is not ours is a problem: it would be a setting that does nothing. */
export function readConfig(root: string): Checked<Config> {
  const path = join(root, CONFIG_FILE)
  const diagnostics: Diagnostic[] = []
  if (!existsSync(path)) return { value: NOTHING_SAID, diagnostics }
  const text = readFileSync(path, 'utf8')
  const tree = text.trim() === '' ? null : readYaml({ path: CONFIG_FILE, text }, diagnostics)
  const entries = tree?.type === 'map' ? tree.entries : []
  for (const { key, keySpan } of entries)
    if (!KEYS.includes(key)) diagnostics.push(unknownKey(keySpan, key, 'config', KEYS))
  const branch = entries.find(({ key }) => key === 'default_branch')?.value
  if (branch !== undefined && !isText(branch))
    diagnostics.push(wrongType(branch.span, 'default_branch', A.text, kindOf(plainValue(branch))))
  const resources = readCounts(entries.find(({ key }) => key === 'resources')?.value, diagnostics)
  const cache = entries.find(({ key }) => key === 'cache')
  const remote = cache === undefined ? null : remoteConfigOf(cache, diagnostics)
  const plugins = readPlugins(entries.find(({ key }) => key === 'plugins')?.value, diagnostics)
  if (diagnostics.some(({ severity }) => severity === 'error')) return { diagnostics }
  const defaultBranch = branch !== undefined && isText(branch) ? branch.value : null
  return {
    value: { defaultBranch, resources, remote, plugins },
    diagnostics,
  }
}

function readCounts(node: Node | undefined, out: Diagnostic[]): Readonly<Record<string, number>> {
  if (node === undefined || node.type === 'poison') return {}
  if (node.type !== 'map') {
    out.push(wrongType(node.span, 'resources', A.map, kindOf(plainValue(node))))
    return {}
  }
  const counts = node.entries.flatMap(({ key, keySpan, value }): [string, number][] => {
    const count = plainValue(value)
    if (!isSlug(key)) out.push(badName(keySpan, key, 'resource'))
    else if (typeof count === 'number' && Number.isInteger(count) && count >= 1) return [[key, count]]
    else out.push(badCount(value.span, key, 1))
    return []
  })
  return Object.fromEntries(counts)
}

function readPlugins(node: Node | undefined, diagnostics: Diagnostic[]): Config['plugins'] {
  if (node === undefined) return []
  const items = node.type === 'list' ? node.items : []
  for (const each of node.type === 'list' ? items : [node])
    if (each === node || !isText(each))
      diagnostics.push(wrongType(each.span, 'plugins', LIST_OF_PLUGINS, kindOf(plainValue(each))))
  return items.filter(isText).map(({ value, span }) => ({ name: value, span }))
}
