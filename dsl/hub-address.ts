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

const PAGE =
  /^(?:https?:\/\/)?(?:www\.)?(?:huggingface\.co|hf\.co|hf-mirror\.com)\/(?!datasets\/|spaces\/)(?<repository>[^/?#]+\/[^/?#]+)(?:\/(?:tree|blob|resolve|commit)\/(?<revision>[^/?#]+))?/i

/** The address that was meant by a page of the hub, by `hf://ORG/NAME` or by `HF: ORG/NAME`; null if none was. */
export function meantAddress(written: string): string | null {
  const page = PAGE.exec(written)?.groups
  const revision = page?.['revision'] === 'main' ? undefined : page?.['revision']
  const address =
    page === undefined
      ? written.replace(/^hf:\s*(?:\/\/)?/i, 'hf:')
      : `hf:${page['repository'] ?? ''}${revision === undefined ? '' : `@${revision}`}`
  return address !== written && hubAddress(address) !== null ? address : null
}
