/** DSSE envelopes with ed25519: bytes of a type in, a signed JSON envelope out, and back with every doubt named. */
import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

export interface Envelope {
  readonly payloadType: string
  /** Base64. */
  readonly payload: string
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[]
}

export type Opened =
  | { readonly type: 'signed'; readonly payload: Buffer }
  /** It is no envelope at all. */
  | { readonly type: 'malformed'; readonly why: string }
  /** It is one, and not to be trusted. */
  | { readonly type: 'refused'; readonly why: string }

/** Pre-authentication encoding: what is signed covers the type as well, and no two pairs give the same bytes. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const type = Buffer.from(payloadType)
  const head = `DSSEv1 ${String(type.length)} ${payloadType} ${String(payload.length)} `
  return Buffer.concat([Buffer.from(head), payload])
}

export function seal(payloadType: string, payload: Uint8Array, key: KeyObject): Envelope {
  const sig = sign(null, preAuthEncoding(payloadType, payload), key).toString('base64')
  const keyid = keyIdOf(createPublicKey(key))
  return { payloadType, payload: Buffer.from(payload).toString('base64'), signatures: [{ keyid, sig }] }
}

/** The same without a signature, for places where whoever may write is trusted. */
export function unsealed(payloadType: string, payload: Uint8Array): Envelope {
  return { payloadType, payload: Buffer.from(payload).toString('base64'), signatures: [] }
}

/** What an envelope holds, whoever signed it; null if it is none of this type. */
export function payloadOf(text: string, payloadType: string): Buffer | null {
  const envelope = readEnvelope(text)
  return typeof envelope === 'string' || envelope.payloadType !== payloadType
    ? null
    : bytesOf(envelope.payload)
}

/** One good signature of the key is enough; others may have signed, too. */
export function open(text: string, payloadType: string, key: KeyObject): Opened {
  const envelope = readEnvelope(text)
  if (typeof envelope === 'string') return { type: 'malformed', why: envelope }
  if (envelope.payloadType !== payloadType)
    return { type: 'refused', why: `it holds ${envelope.payloadType}, not ${payloadType}` }
  const payload = bytesOf(envelope.payload)
  if (payload === null) return { type: 'malformed', why: 'its payload is not base64' }
  const encoded = preAuthEncoding(payloadType, payload)
  const signed = envelope.signatures.some(({ sig }) => {
    const bytes = bytesOf(sig)
    return bytes !== null && verify(null, encoded, key, bytes)
  })
  if (signed) return { type: 'signed', payload }
  // The key's id is only a hint to find the key by; it says which of two stories is the likely one.
  const ours = envelope.signatures.some(({ keyid }) => keyid === keyIdOf(key))
  return {
    type: 'refused',
    why: ours
      ? 'it was changed after it was signed: the signature does not fit its content'
      : `it is not signed with this key, but with ${envelope.signatures.map(({ keyid }) => shown(keyid)).join(', ') || 'none'}`,
  }
}

/** SHA-256 of the public key in DER, as hex. */
export function keyIdOf(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')
}

const shown = (keyid: string) => (keyid === '' ? 'a key without an id' : `key ${keyid.slice(0, 12)}`)

function readEnvelope(text: string): Envelope | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'it is not JSON'
  }
  if (typeof value !== 'object' || value === null) return 'it is no DSSE envelope'
  const { payloadType, payload, signatures } = value as Readonly<Record<string, unknown>>
  if (typeof payloadType !== 'string' || typeof payload !== 'string' || !Array.isArray(signatures))
    return 'it is no DSSE envelope: payloadType, payload and signatures are needed'
  const read = (signatures as unknown[]).map((each) => {
    const { keyid, sig } = (each ?? {}) as Readonly<Record<string, unknown>>
    return typeof sig === 'string' ? { keyid: typeof keyid === 'string' ? keyid : '', sig } : null
  })
  const kept = read.filter((each) => each !== null)
  if (kept.length < read.length) return 'it is no DSSE envelope: a signature has no sig'
  return { payloadType, payload, signatures: kept }
}

/** Strict: text that only happens to decode (other alphabet, loose last bits) is not taken. */
function bytesOf(base64: string): Buffer | null {
  const bytes = Buffer.from(base64, 'base64')
  return bytes.toString('base64') === base64 ? bytes : null
}

export type Key = { readonly key: KeyObject } | { readonly problem: string }

export function readPrivateKey(pem: string): Key {
  if (pem.includes('ENCRYPTED')) return { problem: 'it is locked by a passphrase' }
  return ed25519(() => createPrivateKey(pem), 'private')
}

/** The key by which others check what this one signs. */
export function publicKeyOf(key: KeyObject): KeyObject {
  return createPublicKey(key)
}

/** A private key is refused here: whoever verifies has no business with it. */
export function readPublicKey(pem: string): Key {
  if (pem.includes('PRIVATE KEY'))
    return { problem: 'it holds a private key; verifying takes the public one' }
  return ed25519(() => createPublicKey(pem), 'public')
}

function ed25519(read: () => KeyObject, kind: string): Key {
  let key: KeyObject
  try {
    key = read()
  } catch {
    return { problem: `it holds no ${kind} key in PEM form` }
  }
  const type = key.asymmetricKeyType ?? 'unknown'
  return type === 'ed25519' ? { key } : { problem: `it is a key of type ${type}, not ed25519` }
}
