/** An S3 bucket as an HTTP remote: where its objects lie, and a signature for each request. */
import { amzDate, authorizationOf } from './aws-signature.ts'
import type { Credentials } from './aws-signature.ts'
import type { HttpRemote } from './http.ts'
import type { HttpLimits } from './request.ts'

export interface Bucket {
  readonly bucket: string
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string
  readonly region: string
  /** Null is AWS. With `{bucket}` in it the bucket is part of the host, else the first part of the path. */
  readonly endpoint: string | null
}

/** S3 takes no more in one request, and parts are not sent. */
const MOST_PUT_BYTES = 5 * 2 ** 30

export function s3Remote(
  { bucket, prefix, region, endpoint }: Bucket,
  credentials: Credentials | null,
  limits: HttpLimits,
  now: () => Date,
): HttpRemote {
  // The certificate of AWS covers one label before `.s3`, so a name with dots goes into the path.
  const ofAws = bucket.includes('.')
    ? `https://s3.${region}.amazonaws.com`
    : `https://{bucket}.s3.${region}.amazonaws.com`
  const written = endpoint ?? ofAws
  const inHost = written.includes('{bucket}')
  const origin = written.replace('{bucket}', bucket).replace(/\/+$/, '')
  const path = [...(inHost ? [] : [bucket]), ...(prefix === '' ? [] : [prefix])]
  const base = new URL([origin, ...path.map((part) => part.split('/').map(encoded).join('/'))].join('/'))
  return {
    base,
    shown: `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`,
    limits,
    mostBytes: MOST_PUT_BYTES,
    headersFor: ({ method, url, payloadHash }) => {
      if (credentials === null) return {}
      const headers = {
        host: url.host,
        'x-amz-content-sha256': payloadHash,
        'x-amz-date': amzDate(now()),
        ...(credentials.sessionToken === null ? {} : { 'x-amz-security-token': credentials.sessionToken }),
      }
      const request = { method, path: url.pathname, query: '', headers, payloadHash }
      return { ...headers, authorization: authorizationOf(request, { region, service: 's3' }, credentials) }
    },
  }
}

/** Percent-encoding as it is signed: everything but letters, digits and `-._~`. */
function encoded(part: string): string {
  return encodeURIComponent(part).replaceAll(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
