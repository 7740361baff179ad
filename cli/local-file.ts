/** `sluice.local.yaml`: how this machine starts the workers that pipeline files name. Not tracked by git. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { wordsOf } from '../dsl/command-line.ts'
import type { Checked, Diagnostic } from '../dsl/diagnostic.ts'
import { A, kindOf } from '../dsl/problems/nouns.ts'
import { unknownKey } from '../dsl/problems/text.ts'
import { wrongType } from '../dsl/problems/values.ts'
import { oddCommand } from '../dsl/problems/workers.ts'
import { readYaml } from '../dsl/read-yaml.ts'
import { entryOf, isText, plainValue } from '../dsl/tree.ts'

export const LOCAL_FILE = 'sluice.local.yaml'

/** Worker -> the command that starts it here. */
export type LocalCommands = Readonly<Record<string, readonly string[]>>

/** An absent file says nothing. A worker that no pipeline names is no mistake: another one may. */
export function localCommands(root: string): Checked<LocalCommands> {
  const path = join(root, LOCAL_FILE)
  return localCommandsIn(existsSync(path) ? readFileSync(path, 'utf8') : '')
}

export function localCommandsIn(text: string): Checked<LocalCommands> {
  const diagnostics: Diagnostic[] = []
  const tree = text.trim() === '' ? null : readYaml({ path: LOCAL_FILE, text }, diagnostics)
  const top = tree?.type === 'map' ? tree.entries : []
  for (const { key, keySpan } of top)
    if (!['version', 'workers'].includes(key))
      diagnostics.push(unknownKey(keySpan, key, 'config', ['version', 'workers']))
  const workers = tree?.type === 'map' ? entryOf(tree, 'workers')?.value : undefined
  const commands: [string, readonly string[]][] = []
  if (workers !== undefined && workers.type !== 'map')
    diagnostics.push(wrongType(workers.span, 'workers', A.map, kindOf(plainValue(workers))))
  for (const { key, value } of workers?.type === 'map' ? workers.entries : []) {
    if (value.type !== 'map') {
      diagnostics.push(wrongType(value.span, key, A.map, kindOf(plainValue(value))))
      continue
    }
    for (const each of value.entries)
      if (each.key !== 'run') diagnostics.push(unknownKey(each.keySpan, each.key, 'worker', ['run']))
    const run = entryOf(value, 'run')?.value
    const words = run !== undefined && isText(run) ? wordsOf(run.value) : null
    if (run !== undefined && words === null) diagnostics.push(oddCommand(run.span))
    else if (words !== null) commands.push([key, words])
  }
  if (diagnostics.some(({ severity }) => severity === 'error')) return { diagnostics }
  return { value: Object.fromEntries(commands), diagnostics }
}
