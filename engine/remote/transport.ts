/** What a remote has to be able to do: three requests about names, and one form for whatever goes wrong with them. */
import type { Digest } from '../artifact.ts'

/** `ac/main/<key>.json`, `cas/sha256/<aa>/<digest>`: lower-case letters, digits, `-`, `.` and `/`. */
export type RemoteName = string & { readonly remote: unique symbol }

/** Bytes to put; their digest and size are known before they are sent. */
export interface Payload {
  readonly digest: Digest
  readonly size: number
  readonly from: { readonly file: string } | { readonly bytes: Uint8Array }
}

/** Every method throws `RemoteTrouble` for what is not an answer. */
export interface Transport {
  /** How messages name the remote; without a secret. */
  readonly shown: string
  /** The bytes as they come, unchecked; null if there are none. At most `most` of them are waited for. */
  readonly get: (
    name: RemoteName,
    most: number,
    signal: AbortSignal,
  ) => Promise<AsyncIterable<Uint8Array> | null>
  /** The size, `unknown` if the remote does not say; null if there is nothing of that name. */
  readonly head: (name: RemoteName, signal: AbortSignal) => Promise<number | 'unknown' | null>
  /** A reader sees the old bytes or the new ones, never a part. */
  readonly put: (name: RemoteName, payload: Payload, signal: AbortSignal) => Promise<void>
}

/** Why a remote gave no answer. */
export type TroubleKind =
  /** It does not let us: 401, 403, 405, a file that may not be read. */
  | 'refused'
  /** It says itself that it may work later: 429, 503. */
  | 'busy'
  /** It broke off, answered 5xx, or cannot be reached. */
  | 'broken'
  /** It did not answer in time. */
  | 'silent'
  /** It answered something that cannot be right; asking again will not help. */
  | 'wrong'

interface More {
  readonly retryAfterMs?: number | null
  readonly blob?: Digest
  readonly cause?: unknown
}

/** The remote gave no answer; caught once, in `cache.ts`, where it becomes a word in the summary. */
export class RemoteTrouble extends Error {
  readonly kind: TroubleKind
  /** After this time it may be asked again, if it said so. */
  readonly retryAfterMs: number | null
  /** The blob that came with other bytes. */
  readonly blob: Digest | null

  constructor(kind: TroubleKind, text: string, more: More = {}) {
    super(text, { cause: more.cause })
    this.kind = kind
    this.retryAfterMs = more.retryAfterMs ?? null
    this.blob = more.blob ?? null
  }
}

export function blobName(digest: Digest): RemoteName {
  const hex = digest.slice('sha256:'.length)
  return `cas/sha256/${hex.slice(0, 2)}/${hex}` as RemoteName
}

export function recordName(scope: string, key: Digest): RemoteName {
  return `ac/${scope}/${key.slice('sha256:'.length)}.json` as RemoteName
}
