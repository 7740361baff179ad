/** Signatures as the documentation of S3 works them out by example (Authenticating Requests, "Examples: Signature Calculations"). */
import { expect, test } from 'vitest'
import { amzDate, authorizationOf, sha256 } from '../../engine/remote/aws-signature.ts'
import { HTTP_LIMITS } from '../../engine/remote/request.ts'
import { s3Remote } from '../../engine/remote/s3.ts'

const credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: null,
}
const now = new Date('2013-05-24T00:00:00Z')
const emptyHash = sha256('')

const examples = [
  {
    name: 'GET an object',
    method: 'GET',
    path: '/test.txt',
    query: '',
    body: '',
    more: { Range: 'bytes=0-9' },
    signature: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  },
  {
    name: 'PUT an object',
    method: 'PUT',
    path: '/test%24file.text',
    query: '',
    body: 'Welcome to Amazon S3.',
    more: { Date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
    signature: '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  },
  {
    name: 'GET the lifecycle of a bucket',
    method: 'GET',
    path: '/',
    query: 'lifecycle',
    body: '',
    more: {},
    signature: 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  },
  {
    name: 'list objects',
    method: 'GET',
    path: '/',
    query: 'max-keys=2&prefix=J',
    body: '',
    more: {},
    signature: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  },
]

test.each(examples)('$name', ({ method, path, query, body, more, signature }) => {
  const payloadHash = sha256(body)
  const headers = {
    Host: 'examplebucket.s3.amazonaws.com',
    'x-amz-content-sha256': payloadHash,
    'x-amz-date': amzDate(now),
    ...more,
  }
  const request = { method, path, query, headers, payloadHash }
  const value = authorizationOf(request, { region: 'us-east-1', service: 's3' }, credentials)
  expect(value.endsWith(`Signature=${signature}`)).toBe(true)
  expect(value).toContain('Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request')
  expect(value).not.toContain(credentials.secretAccessKey)
})

test.each([
  ['in the host of AWS', { bucket: 'team', endpoint: null }, 'https://team.s3.eu-west-1.amazonaws.com/a/b'],
  [
    'in the path, as its name has dots',
    { bucket: 'my.team', endpoint: null },
    'https://s3.eu-west-1.amazonaws.com/my.team/a/b',
  ],
  [
    'in the path of another server',
    { bucket: 'team', endpoint: 'http://minio:9000/' },
    'http://minio:9000/team/a/b',
  ],
  [
    'in the host of another server',
    { bucket: 'team', endpoint: 'https://{bucket}.oss.example' },
    'https://team.oss.example/a/b',
  ],
])('a bucket is found %s', (_, { bucket, endpoint }, base) => {
  const place = { bucket, endpoint, prefix: 'a/b', region: 'eu-west-1' }
  const remote = s3Remote(place, { ...credentials, sessionToken: 'token' }, HTTP_LIMITS, () => now)
  expect(remote.base.href).toBe(base)
  const headers = remote.headersFor({ method: 'GET', url: remote.base, payloadHash: emptyHash })
  expect(headers['authorization']).toContain(
    'SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token',
  )
  expect(
    s3Remote(place, null, HTTP_LIMITS, () => now).headersFor({
      method: 'GET',
      url: remote.base,
      payloadHash: '',
    }),
  ).toEqual({})
})
