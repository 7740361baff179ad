/** `sluice schema`: the JSON Schema of pipeline files, so that any editor completes and checks them. */
import { resolve } from 'node:path'
import { schemaText } from '../../editor/schema.ts'
import { writeAtomic } from '../../engine/store/atomic.ts'
import { stageKinds } from '../../stages/catalogue.ts'
import type { Command } from '../options.ts'
import { stringFlag } from '../project.ts'

export function schemaCommand(command: Command): number {
  const text = schemaText(stageKinds, 'en')
  const out = stringFlag(command, 'out')
  if (out === null) process.stdout.write(text)
  else writeAtomic(resolve(stringFlag(command, 'directory') ?? '.', out), text)
  return 0
}
