/** The environment of a command: a few variables of the machine, what the stage declares, where its files are. */
import { join } from 'node:path'
import { JobError } from '../op.ts'
import type { OpContext } from '../op.ts'

/** Handed on to every command; no other variable is, unless the stage says so. */
const INHERITED = [
  'PATH',
  'HOME',
  'USER',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'LD_LIBRARY_PATH',
  'CUDA_VISIBLE_DEVICES',
] as const
/** One variable may hold 128 KiB on Linux. */
const LONGEST_BYTES = 120_000

export type Variables = Readonly<Record<string, string | undefined>>

export function environmentOf(context: OpContext, outside: Variables): Record<string, string> {
  const { env, pass } = context.with as {
    readonly env?: Readonly<Record<string, string | number | boolean>>
    readonly pass?: readonly string[]
  }
  const variables: Record<string, string> = { SLUICE_SMOKE: '0', SLUICE_THREADS: String(context.threads) }
  for (const name of [...INHERITED, ...(pass ?? [])]) {
    const value = outside[name]
    if (value !== undefined) variables[name] = value
  }
  for (const [name, value] of Object.entries(env ?? {})) {
    variables[name] = String(value)
    if (Buffer.byteLength(variables[name]) > LONGEST_BYTES)
      throw new JobError('input', `the variable ${name} is longer than ${String(LONGEST_BYTES)} bytes`)
  }
  for (const [port, { dir, files }] of Object.entries(context.inputs)) {
    variables[`SLUICE_INPUT_${variableOf(port)}`] = dir
    const list = files.map((file) => join(dir, file)).join('\n')
    if (Buffer.byteLength(list) <= LONGEST_BYTES) variables[`SLUICE_FILES_${variableOf(port)}`] = list
  }
  for (const [port, dir] of Object.entries(context.outputs))
    variables[`SLUICE_OUTPUT_${variableOf(port)}`] = dir
  return variables
}

/** `test-rows` is `TEST_ROWS`; a port has no `_`, so no two become one. */
export function variableOf(port: string): string {
  return port.toUpperCase().replaceAll('-', '_')
}
