/** Look-up by a name that a user chose, so that `constructor` is as unknown as any other word. */

export function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}
