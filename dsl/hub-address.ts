/** `hf:ORG/NAME@REVISION` -> its parts. A source of that form lies on a model hub and not among the project's files. */

export interface HubAddress {
  /** `ORG/NAME`. */
  readonly repository: string
  /** A branch, a tag or a commit; null if none is written, which means the hub's `main`. */
  readonly revision: string | null
}

/** No part may begin with a dot: both become names of folders. */
const ADDRESS = /^hf:(?<repository>[\w-][\w.-]*\/[\w-][\w.-]*)(?:@(?<revision>\w[\w.-]*(?:\/\w[\w.-]*)*))?$/
const COMMIT = /^[0-9a-f]{40}$/

/** Null for a path, and for an address that is not complete. */
export function hubAddress(from: unknown): HubAddress | null {
  const parts = typeof from === 'string' ? ADDRESS.exec(from)?.groups : undefined
  if (parts?.['repository'] === undefined) return null
  return { repository: parts['repository'], revision: parts['revision'] ?? null }
}

/** A whole commit names the same bytes for ever; anything else can be moved. */
export function isCommit(revision: string): boolean {
  return COMMIT.test(revision)
}
