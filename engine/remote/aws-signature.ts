/** AWS Signature Version 4: a request and credentials in, the header that proves who sends it out. Pure. */
import { createHash, createHmac } from 'node:crypto'

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** For credentials that expire. */
  readonly sessionToken: string | null
}

export interface Unsigned {
  readonly method: string
  /** As sent, percent-encoded. */
  readonly path: string
  /** As sent, without `?`. */
  readonly query: string
  /** Name -> value; all of them are signed, `host` and `x-amz-date` must be among them. */
  readonly headers: Readonly<Record<string, string>>
  /** SHA-256 of the body as hex. */
  readonly payloadHash: string
}

/** For whom a signature is good. */
export interface CredentialScope {
  readonly region: string
  readonly service: string
}

const ALGORITHM = 'AWS4-HMAC-SHA256'

/** The value of `authorization`. */
export function authorizationOf(
  request: Unsigned,
  { region, service }: CredentialScope,
  credentials: Credentials,
): string {
  const headers = lowerCased(request.headers)
  const date = headers['x-amz-date'] ?? ''
  const day = date.slice(0, 8)
  const scope = `${day}/${region}/${service}/aws4_request`
  const names = Object.keys(headers).sort().join(';')
  const toSign = [ALGORITHM, date, scope, sha256(canonicalRequest(request))].join('\n')
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => hmac(secret, part),
    `AWS4${credentials.secretAccessKey}`,
  )
  const signature = hmac(key, toSign).toString('hex')
  return `${ALGORITHM} Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`
}

export function canonicalRequest({ method, path, query, headers, payloadHash }: Unsigned): string {
  const signed = lowerCased(headers)
  const names = Object.keys(signed).sort()
  const lines = names.map((name) => `${name}:${(signed[name] ?? '').trim().replaceAll(/ +/g, ' ')}`)
  const sortedQuery = query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => (part.includes('=') ? part : `${part}=`))
    .sort()
    .join('&')
  return [method, path, sortedQuery, ...lines, '', names.join(';'), payloadHash].join('\n')
}

/** `20130524T000000Z`. */
export function amzDate(now: Date): string {
  return `${now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
}

export function sha256(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex')
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function lowerCased(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}
