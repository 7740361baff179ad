/** `sluice schema`: the JSON Schema of pipeline files, so that any editor completes and checks them. */
import { resolve } from 'node:path'
import { schemaText } from '../../editor/schema.ts'
import { writeAtomic } from '../../engine/store/atomic.ts'
import type { Command } from '../options.ts'
import { kindsAround, stringFlag } from '../project.ts'

export async function schemaCommand(command: Command, buildDir: string): Promise<number> {
  const text = schemaText(await kindsAround(buildDir), 'en')
  const out = stringFlag(command, 'out')
  if (out === null) process.stdout.write(text)
  else writeAtomic(resolve(out), text)
  return 0
}
