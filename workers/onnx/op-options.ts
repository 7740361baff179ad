/** Reads an op's options, which the engine has validated: a wrong type here is a bug, not a user's mistake. */
import type { JsonObject } from '../protocol/json.ts'

export function numberOption(options: JsonObject, name: string, fallback?: number): number {
  const value = options[name] ?? fallback
  if (typeof value !== 'number')
    throw new TypeError(`option ${name} must be a number, it is ${JSON.stringify(value)}`)
  return value
}

export function textOption<T extends string>(
  options: JsonObject,
  name: string,
  allowed: readonly T[],
  fallback: T,
): T {
  const value = options[name] ?? fallback
  const found = allowed.find((item) => item === value)
  if (found === undefined) throw new TypeError(`option ${name} must be one of ${allowed.join(', ')}`)
  return found
}
