/** What a remote says of a result: which bytes came out, who made it, for whom it counts; signed, and read with every doubt. */
import type { KeyObject } from 'node:crypto'
import { ARTIFACT_TYPES } from '../../dsl/stage-signature.ts'
import type { JsonObject } from '../../dsl/stage-signature.ts'
import { canonicalJson } from '../artifact.ts'
import type { Digest } from '../artifact.ts'
import { open, payloadOf, seal, unsealed } from '../attest/dsse.ts'
import { keyOf } from '../plan/manifest.ts'
import type { Result } from '../store/results.ts'
import type { Blob, Pack } from './pack.ts'

const PAYLOAD_TYPE = 'application/vnd.sluice.cached-result+json'
const FORMAT = 1
/** A record larger than this is none of ours. */
export const MOST_RECORD_BYTES = 32 * 1024 * 1024

/** `main`, or `pr/12`: written by one pull request and read by nobody else. */
export type Scope = string & { readonly scope: unique symbol }

export function scopeOf(text: string): Scope | null {
  return /^(main|pr\/[1-9]\d{0,11})$/.test(text) ? (text as Scope) : null
}

export interface RemoteRecord {
  readonly format: typeof FORMAT
  readonly scope: Scope
  /** Who made it, in words: a run of CI, a machine. */
  readonly builder: string
  readonly result: Result
  readonly large: readonly Blob[]
  readonly packs: readonly Pack[]
}

/** Whose records count: those signed by one of the keys, or, with `writers`, all that could be written. */
export type Trust = 'writers' | { readonly main: readonly KeyObject[]; readonly pr: readonly KeyObject[] }

export function sealRecord(record: RemoteRecord, key: KeyObject | null): Buffer {
  const payload = Buffer.from(canonicalJson(record as unknown as JsonObject))
  const envelope = key === null ? unsealed(PAYLOAD_TYPE, payload) : seal(PAYLOAD_TYPE, payload, key)
  return Buffer.from(JSON.stringify(envelope))
}

/** The keys that may speak in a scope; the keys of main may speak everywhere. */
export function trustedIn(scope: Scope, trust: Exclude<Trust, 'writers'>): readonly KeyObject[] {
  return scope === 'main' ? trust.main : [...trust.main, ...trust.pr]
}

/** The record, or why it does not count. The place where it lay proves nothing: it says itself what it is for. */
export function openRecord(
  text: string,
  wanted: { readonly key: Digest; readonly scope: Scope },
  trust: Trust,
): RemoteRecord | { readonly doubt: string } {
  const payload = trustedPayload(text, wanted.scope, trust)
  if ('doubt' in payload) return payload
  const record = readRecord(payload.payload)
  if (record === null) return { doubt: 'it is no record of this format' }
  if (record.scope !== wanted.scope) return { doubt: `it was written for ${record.scope}` }
  const { result } = record
  if (result.key !== wanted.key) return { doubt: 'it is the record of another key' }
  if (keyOf(result.manifest) !== wanted.key) return { doubt: 'its recipe is not that of its key' }
  return record
}

function trustedPayload(
  text: string,
  scope: Scope,
  trust: Trust,
): { readonly payload: Buffer } | { readonly doubt: string } {
  if (trust === 'writers') {
    const payload = payloadOf(text, PAYLOAD_TYPE)
    return payload === null ? { doubt: 'it is no record' } : { payload }
  }
  let doubt = `no key is trusted for ${scope}`
  for (const key of trustedIn(scope, trust)) {
    const opened = open(text, PAYLOAD_TYPE, key)
    if (opened.type === 'signed') return { payload: opened.payload }
    doubt = opened.why
  }
  return { doubt }
}

const DIGEST = /^sha256:[0-9a-f]{64}$/
const PORT = /^[a-z][a-z0-9_-]{0,63}$/

function readRecord(bytes: Uint8Array): RemoteRecord | null {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return null
  }
  if (!isMap(value) || value['format'] !== FORMAT || !isMap(value['result'])) return null
  const { scope, builder, result, large, packs } = value
  const fits =
    typeof scope === 'string' &&
    scopeOf(scope) !== null &&
    typeof builder === 'string' &&
    isResult(result) &&
    isBlobs(large) &&
    Array.isArray(packs) &&
    packs.every(isPack)
  return fits ? (value as unknown as RemoteRecord) : null
}

function isResult({ format, key, manifest, outputs, summary, durationMs, provenance }: Loose): boolean {
  return (
    format === 1 &&
    isDigest(key) &&
    isMap(manifest) &&
    Object.values(manifest).every((each) => typeof each === 'string') &&
    isMap(outputs) &&
    Object.entries(outputs).every(([port, artifact]) => PORT.test(port) && isArtifact(artifact)) &&
    isMap(summary) &&
    isMap(provenance) &&
    isCount(durationMs)
  )
}

function isArtifact(value: unknown): boolean {
  return (
    isMap(value) &&
    ARTIFACT_TYPES.some((type) => type === value['type']) &&
    isDigest(value['tree']) &&
    isCount(value['bytes'])
  )
}

type Loose = Readonly<Record<string, unknown>>

function isPack(value: unknown): boolean {
  if (!isBlob(value)) return false
  const { pieces, size } = value as unknown as Loose
  if (!isBlobs(pieces)) return false
  return pieces.reduce((sum, piece) => sum + piece.size, 0) === size
}

function isBlobs(value: unknown): value is readonly Blob[] {
  return Array.isArray(value) && value.every(isBlob)
}

function isBlob(value: unknown): value is Blob {
  return isMap(value) && isDigest(value['digest']) && isCount(value['size'])
}

function isDigest(value: unknown): boolean {
  return typeof value === 'string' && DIGEST.test(value)
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isMap(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
