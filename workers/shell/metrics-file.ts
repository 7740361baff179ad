/** `{"accuracy": 0.93}`, as a command writes it, becomes the file of metrics that a gate reads. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { JobError } from '../op.ts'
import type { JsonObject } from '../protocol/json.ts'

/** Numbers as written; null where the command could not tell. */
export type Measured = Readonly<Record<string, number | null>>

/**
 * Takes `{name: number | null | {value, n}}`, perhaps with a text `ruler` and a number `rows` beside the names. The
 * ruler says what has to be equal for two values to be comparable; without one it is the command with its environment.
 */
export function completeMetrics(dir: string, options: JsonObject): Measured {
  const path = join(dir, 'metrics.json')
  const where = '$SLUICE_OUTPUT_METRICS/metrics.json'
  if (!existsSync(path)) throw new JobError('input', `the command wrote no ${where}`)
  const written = read(path, where)
  const declared = (options['measures'] ?? {}) as Readonly<Record<string, 'higher' | 'lower'>>
  const nested = written['metrics']
  const values = isObject(nested) ? nested : written
  const missing = Object.keys(declared).filter((name) => values[name] === undefined)
  if (missing.length > 0)
    throw new JobError('input', `${where} lacks what \`measures\` promises: ${missing.join(', ')}`)
  const rows = typeof written['rows'] === 'number' ? written['rows'] : 0
  const metrics = Object.fromEntries(
    Object.entries(declared).map(([name, direction]) => {
      const { value, n } = numberIn(values[name], name, where)
      return [name, { value, n: n ?? rows, unit: 'num', direction, signature: name }] as const
    }),
  )
  const { run, env, measures } = options
  const ruler = typeof written['ruler'] === 'string' ? written['ruler'] : JSON.stringify([run, env, measures])
  const file = {
    format: 1,
    ruler: createHash('sha256').update(ruler).digest('hex'),
    split: typeof written['split'] === 'string' ? written['split'] : 'test',
    rows,
    metrics,
  }
  writeFileSync(path, `${JSON.stringify(file, null, 2)}\n`)
  return Object.fromEntries(Object.entries(metrics).map(([name, { value }]) => [name, value]))
}

function read(path: string, where: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new JobError('input', `${where} is not JSON: ${(error as Error).message}`)
  }
  if (!isObject(value)) throw new JobError('input', `${where} is no object of metrics`)
  return value
}

function numberIn(value: unknown, name: string, where: string): { value: number | null; n: number | null } {
  const found = isObject(value) ? value['value'] : value
  const n = isObject(value) && typeof value['n'] === 'number' ? value['n'] : null
  if (found === null || typeof found === 'number') return { value: found, n }
  throw new JobError('input', `${name} in ${where} is no number`)
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
