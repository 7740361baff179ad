/** `sluice.config.yaml`: what holds for all pipelines of a project. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Checked, Diagnostic } from '../dsl/diagnostic.ts'
import { A, kindOf } from '../dsl/problems/nouns.ts'
import { unknownKey } from '../dsl/problems/text.ts'
import { wrongType } from '../dsl/problems/values.ts'
import { readYaml } from '../dsl/read-yaml.ts'
import { isText, plainValue } from '../dsl/tree.ts'
import { remoteConfigOf } from './remote-config.ts'
import type { RemoteConfig } from './remote-config.ts'

export const CONFIG_FILE = 'sluice.config.yaml'
const KEYS: readonly string[] = ['version', 'default_branch', 'cache']

export interface Config {
  /** The branch whose passing runs are `main`; null lets git say. */
  readonly defaultBranch: string | null
  /** The cache that is shared with others. */
  readonly remote: RemoteConfig | null
}

/** An absent file says nothing. A key that is not ours is a problem: it would be a setting that does nothing. */
export function readConfig(root: string): Checked<Config> {
  const path = join(root, CONFIG_FILE)
  const diagnostics: Diagnostic[] = []
  if (!existsSync(path)) return { value: { defaultBranch: null, remote: null }, diagnostics }
  const text = readFileSync(path, 'utf8')
  const tree = text.trim() === '' ? null : readYaml({ path: CONFIG_FILE, text }, diagnostics)
  const entries = tree?.type === 'map' ? tree.entries : []
  for (const { key, keySpan } of entries)
    if (!KEYS.includes(key)) diagnostics.push(unknownKey(keySpan, key, 'config', KEYS))
  const branch = entries.find(({ key }) => key === 'default_branch')?.value
  if (branch !== undefined && !isText(branch))
    diagnostics.push(wrongType(branch.span, 'default_branch', A.text, kindOf(plainValue(branch))))
  const cache = entries.find(({ key }) => key === 'cache')
  const remote = cache === undefined ? null : remoteConfigOf(cache, diagnostics)
  if (diagnostics.some(({ severity }) => severity === 'error')) return { diagnostics }
  return {
    value: { defaultBranch: branch !== undefined && isText(branch) ? branch.value : null, remote },
    diagnostics,
  }
}
