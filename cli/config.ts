/** `sluice.config.yaml`: what holds for all pipelines of a project. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Checked, Diagnostic } from '../dsl/diagnostic.ts'
import { A, kindOf } from '../dsl/problems/nouns.ts'
import { words } from '../dsl/problems/problem.ts'
import { unknownKey } from '../dsl/problems/text.ts'
import { wrongType } from '../dsl/problems/values.ts'
import { readYaml } from '../dsl/read-yaml.ts'
import type { Span } from '../dsl/source.ts'
import { isText, plainValue } from '../dsl/tree.ts'
import { CONFIG_FILE } from './config-file.ts'

const KEYS: readonly string[] = ['version', 'default_branch', 'plugins']

const LIST_OF_PLUGINS = words('a list of paths and packages', '路径和包名的列表')

export interface Config {
  /** The branch whose passing runs are `main`; null lets git say. */
  readonly defaultBranch: string | null
  /** Paths and package names, as written. */
  readonly plugins: readonly { readonly name: string; readonly span: Span }[]
}

/** An absent file says nothing. */
export function configOf(root: string): Checked<Config> {
  const path = join(root, CONFIG_FILE)
  return readConfig(existsSync(path) ? readFileSync(path, 'utf8') : '')
}

/** A key that is not ours is a problem: it would be a setting that does nothing. */
export function readConfig(text: string): Checked<Config> {
  const diagnostics: Diagnostic[] = []
  const tree = text.trim() === '' ? null : readYaml({ path: CONFIG_FILE, text }, diagnostics)
  const entries = tree?.type === 'map' ? tree.entries : []
  for (const { key, keySpan } of entries)
    if (!KEYS.includes(key)) diagnostics.push(unknownKey(keySpan, key, 'config', KEYS))
  const branch = entries.find(({ key }) => key === 'default_branch')?.value
  if (branch !== undefined && !isText(branch))
    diagnostics.push(wrongType(branch.span, 'default_branch', A.text, kindOf(plainValue(branch))))
  const plugins = entries.find(({ key }) => key === 'plugins')?.value
  const items = plugins?.type === 'list' ? plugins.items : []
  for (const node of [...(plugins === undefined || plugins.type === 'list' ? [] : [plugins]), ...items])
    if (node === plugins || !isText(node))
      diagnostics.push(wrongType(node.span, 'plugins', LIST_OF_PLUGINS, kindOf(plainValue(node))))
  if (diagnostics.some(({ severity }) => severity === 'error')) return { diagnostics }
  return {
    value: {
      defaultBranch: branch !== undefined && isText(branch) ? branch.value : null,
      plugins: items.filter(isText).map(({ value, span }) => ({ name: value, span })),
    },
    diagnostics,
  }
}
