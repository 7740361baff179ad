/** Compares a text with a file that people have read; UPDATE_GOLDEN=1 writes the file anew. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { expect } from 'vitest'

/** A golden file that is not there fails, so that nothing is golden which nobody has looked at. */
export function expectGolden(text: string, path: string): void {
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, text)
  const golden = existsSync(path) ? readFileSync(path, 'utf8') : null
  expect(golden, `${basename(path)} is missing: UPDATE_GOLDEN=1 writes it`).not.toBeNull()
  expect(text).toBe(golden)
}
