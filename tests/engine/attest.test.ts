/** Signed verdicts: read by somebody else's code, and refused for every byte that was touched. */
import { generateKeyPairSync, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { digestOf, treeOf } from '../../engine/artifact.ts'
import { open, preAuthEncoding, readPrivateKey, readPublicKey, seal } from '../../engine/attest/dsse.ts'
import { differencesTo, PAYLOAD_TYPE, readStatement, statementBytes } from '../../engine/attest/statement.ts'
import { newRoot, write } from '../support/rig.ts'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const stranger = generateKeyPairSync('ed25519')

const file = (path: string, text: string) => ({ path, size: Buffer.byteLength(text), digest: digestOf(text) })
const tree = treeOf([file('adapter_config.json', '{}'), file('adapter_model.safetensors', 'weights')])
const predicate = { verdict: 'pass', pipeline: 'support-zh', gates: { gate: { verdict: 'pass' } } }
const bytes = statementBytes([{ name: 'lora-train.adapter', tree }], predicate)
const envelope = seal(PAYLOAD_TYPE, bytes, privateKey)
const text = JSON.stringify(envelope, null, 2)

/** As another program would do it: the encoding written out by hand, no code of ours. */
function verifiedElsewhere(json: string, key: KeyObject): unknown {
  const { payload, payloadType, signatures } = JSON.parse(json) as {
    payload: string
    payloadType: string
    signatures: { sig: string }[]
  }
  const body = Buffer.from(payload, 'base64')
  const pae = Buffer.from(
    `DSSEv1 ${String(Buffer.byteLength(payloadType))} ${payloadType} ${String(body.length)} ${body.toString('latin1')}`,
    'latin1',
  )
  const good = signatures.some(({ sig }) => verify(null, pae, key, Buffer.from(sig, 'base64')))
  return good ? JSON.parse(body.toString('utf8')) : null
}

describe('the envelope', () => {
  test('encodes as the specification of DSSE shows', () => {
    expect(preAuthEncoding('http://example.com/HelloWorld', Buffer.from('hello world')).toString()).toBe(
      'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
    )
    // Lengths count bytes, not letters.
    expect(preAuthEncoding('型', Buffer.from('值')).toString()).toBe('DSSEv1 3 型 3 值')
  })

  test('is verified by code that is not ours, and says what in-toto wants', () => {
    expect(verifiedElsewhere(text, publicKey)).toEqual({
      _type: 'https://in-toto.io/Statement/v1',
      predicateType: 'sluice:gate-verdict/v1',
      predicate,
      subject: [
        { name: 'lora-train.adapter', digest: { sluice_tree_v1: tree.digest.slice(7) } },
        { name: 'lora-train.adapter/adapter_config.json', digest: { sha256: digestOf('{}').slice(7) } },
        {
          name: 'lora-train.adapter/adapter_model.safetensors',
          digest: { sha256: digestOf('weights').slice(7) },
        },
      ],
    })
    expect(verifiedElsewhere(text, stranger.publicKey)).toBeNull()
  })

  test('the same verdict about the same files gives the same bytes', () => {
    expect(
      seal(PAYLOAD_TYPE, statementBytes([{ name: 'lora-train.adapter', tree }], predicate), privateKey),
    ).toEqual(envelope)
  })

  test('opens with its key, also where others have signed, too', () => {
    const both = {
      ...envelope,
      signatures: [...seal(PAYLOAD_TYPE, bytes, stranger.privateKey).signatures, ...envelope.signatures],
    }
    expect(open(JSON.stringify(both), PAYLOAD_TYPE, publicKey)).toEqual({ type: 'signed', payload: bytes })
  })

  test('no byte of payload, type or signature can be changed', () => {
    const parts: readonly (readonly [string, (changed: string) => unknown])[] = [
      [envelope.payload, (payload) => ({ ...envelope, payload })],
      [envelope.payloadType, (payloadType) => ({ ...envelope, payloadType })],
      [
        envelope.signatures[0]?.sig ?? '',
        (sig) => ({ ...envelope, signatures: [{ ...envelope.signatures[0], sig }] }),
      ],
    ]
    let tried = 0
    for (const [part, build] of parts)
      for (let at = 0; at < part.length; at++)
        for (const other of [part[at] === 'A' ? 'B' : 'A', part[at] === '=' ? 'x' : '=', ' ']) {
          if (other === part[at]) continue
          const changed = part.slice(0, at) + other + part.slice(at + 1)
          expect(open(JSON.stringify(build(changed)), PAYLOAD_TYPE, publicKey).type, changed).not.toBe(
            'signed',
          )
          tried++
        }
    expect(tried).toBeGreaterThan(1500)
  })

  test.each([
    ['another key', text, stranger.publicKey, 'refused', /not signed with this key/],
    [
      'changed content',
      JSON.stringify({ ...envelope, payload: Buffer.from('{}').toString('base64') }),
      publicKey,
      'refused',
      /changed after it was signed/,
    ],
    [
      'another type',
      JSON.stringify({ ...envelope, payloadType: 'text/plain' }),
      publicKey,
      'refused',
      /holds text\/plain/,
    ],
    ['no signature', JSON.stringify({ ...envelope, signatures: [] }), publicKey, 'refused', /but with none/],
    ['no JSON', text.slice(1), publicKey, 'malformed', /not JSON/],
    [
      'another document',
      '{"verdict": "pass"}',
      publicKey,
      'malformed',
      /payloadType, payload and signatures/,
    ],
    [
      'a signature without sig',
      JSON.stringify({ ...envelope, signatures: [{}] }),
      publicKey,
      'malformed',
      /has no sig/,
    ],
    ['null', 'null', publicKey, 'malformed', /no DSSE envelope/],
  ])('says what is wrong: %s', (_, json, key, type, why) => {
    const opened = open(json, PAYLOAD_TYPE, key)
    expect(opened.type).toBe(type)
    expect('why' in opened ? opened.why : '').toMatch(why)
  })
})

describe('keys', () => {
  const pem = (key: KeyObject, type: 'pkcs8' | 'spki') => key.export({ type, format: 'pem' }).toString()
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })

  test('of ed25519 in PEM form are read', () => {
    expect('key' in readPrivateKey(pem(privateKey, 'pkcs8'))).toBe(true)
    expect('key' in readPublicKey(pem(publicKey, 'spki'))).toBe(true)
  })

  test.each([
    ['another kind', () => readPrivateKey(pem(rsa.privateKey, 'pkcs8')), /type rsa, not ed25519/],
    ['no key', () => readPrivateKey('hello'), /no private key in PEM form/],
    [
      'a locked key',
      () =>
        readPrivateKey(
          privateKey
            .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
            .toString(),
        ),
      /passphrase/,
    ],
    [
      'the private key to verify with',
      () => readPublicKey(pem(privateKey, 'pkcs8')),
      /private key; verifying takes the public one/,
    ],
    ['a public key to sign with', () => readPrivateKey(pem(publicKey, 'spki')), /no private key/],
  ])('%s is refused in words', (_, read, problem) => {
    const key = read()
    expect('problem' in key ? key.problem : '').toMatch(problem)
  })
})

describe('the statement', () => {
  const statement = readStatement(bytes)
  if ('problem' in statement) throw new Error(statement.problem)
  const laidOut = () => {
    const dir = newRoot()
    write(dir, 'adapter_config.json', '{}')
    write(dir, 'adapter_model.safetensors', 'weights')
    return dir
  }

  test('a folder with exactly its files is what was judged', () => {
    expect(differencesTo(statement, laidOut())).toEqual([])
  })

  test('other files, missing ones and further ones are named', () => {
    const dir = laidOut()
    write(dir, 'adapter_model.safetensors', 'Weights')
    write(dir, 'deep/modeling.py', 'print()')
    expect(differencesTo(statement, dir)).toEqual([
      'adapter_model.safetensors has other content',
      'deep/modeling.py is not part of what was judged',
    ])
    expect(differencesTo(statement, newRoot())).toEqual([
      'adapter_config.json is missing',
      'adapter_model.safetensors is missing',
    ])
  })

  test('a folder behind a link is no hiding place', () => {
    const dir = laidOut()
    const elsewhere = newRoot()
    write(elsewhere, 'more.bin', 'x')
    symlinkSync(elsewhere, join(dir, 'more'))
    expect(differencesTo(statement, dir)).toEqual(['more is not part of what was judged'])
  })

  test.each([
    ['[]', /no in-toto statement/],
    ['not json', /not JSON/],
    [
      JSON.stringify({ _type: 'https://in-toto.io/Statement/v1', predicateType: 'x' }),
      /states something else: "x"/,
    ],
    [
      JSON.stringify({ _type: 'https://in-toto.io/Statement/v1', predicateType: 'sluice:gate-verdict/v1' }),
      /lacks a subject/,
    ],
  ])('%s is none of ours', (payload, problem) => {
    const read = readStatement(Buffer.from(payload))
    expect('problem' in read ? read.problem : '').toMatch(problem)
  })
})
