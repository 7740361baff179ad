/** The JSON files beside a model's weights. */
import { readFile } from 'node:fs/promises'
import { JobError } from '../op.ts'

/** The object in `path`; empty where there is no such file. Throws `JobError('input')` for what is no JSON object. */
export async function readModelJson(path: string): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readOptional(path)
  if (!bytes) return {}
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch {
    // Told below, in our words.
  }
  throw new JobError('input', `${path} is no JSON object`, 'Copy or download the file again.')
}

export async function readOptional(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

/** The text of a token as configurations write it: a string, or an object with `content`. */
export function tokenText(value: unknown): string | null {
  const text = typeof value === 'object' && value !== null && 'content' in value ? value.content : value
  return typeof text === 'string' ? text : null
}
