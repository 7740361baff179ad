/** What the pipeline files of a project want from outside: variables, and models on a hub. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hubAddress } from '../../dsl/hub-address.ts'
import type { HubAddress } from '../../dsl/hub-address.ts'
import { warning } from './finding.ts'
import type { Finding } from './finding.ts'

/** By the text alone: doctor also serves who has a mistake in the file. Comments are no wish. */
function textsOf(root: string, files: readonly string[]): readonly (readonly [string, string])[] {
  return files.map((file) => [file, readFileSync(join(root, file), 'utf8').replace(/(^|\s)#.*$/gm, '$1')])
}

/** `env:NAME`, `env.NAME` and `env('NAME')` without a default. */
const VARIABLE = /\benv(?::|\.|\(\s*['"])(?<name>[A-Za-z_]\w*)(?:['"]\s*\))?(?!['"]\s*,)/g

export function variableFindings(
  root: string,
  files: readonly string[],
  env: NodeJS.ProcessEnv,
): readonly Finding[] {
  const wanted = new Map<string, Set<string>>()
  for (const [file, text] of textsOf(root, files))
    for (const match of text.matchAll(VARIABLE)) {
      const name = match.groups?.['name'] ?? ''
      if ((env[name] ?? '') === '') wanted.set(name, (wanted.get(name) ?? new Set()).add(file))
    }
  return [...wanted]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, names]) =>
      warning(name, 'is not set', `${[...names].join(', ')} ${names.size === 1 ? 'reads' : 'read'} it`),
    )
}

export function hubAddresses(root: string, files: readonly string[]): readonly HubAddress[] {
  const found = textsOf(root, files).flatMap(([, text]) => text.match(/\bhf:[\w./@-]+/g) ?? [])
  return [...new Set(found)].map(hubAddress).filter((address) => address !== null)
}
