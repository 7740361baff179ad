/** The lock file: what is written is read back, and anything else is refused with its line. */
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lockText, parseLock, readLock, writeLock } from '../../engine/lock-file.ts'
import type { Lock } from '../../engine/lock-file.ts'
import { newRoot } from '../support/rig.ts'

const lock: Lock = {
  stages: {
    train: { key: 'sha256:1', 'with.lr': 0.0002, 'with.terms': { 错: '对' }, 'op.kernel/lora-train': 'x: y' },
    empty: {},
  },
  gates: { gate: { verdict: 'pass' } },
}

test('one fact a line, sorted, values as JSON', () => {
  expect(lockText(lock)).toMatchInlineSnapshot(`
    "# Written by sluice; commit it. Conflict? run: sluice lock --resolve
    lock: 1
    gates:
      gate:
        verdict: "pass"
    stages:
      empty:
      train:
        key: "sha256:1"
        op.kernel/lora-train: "x: y"
        with.lr: 0.0002
        with.terms: {"错":"对"}
    "
  `)
})

test('comes back as it was', () => {
  expect(parseLock(lockText(lock), 'p.lock')).toEqual(lock)
  // Instances of a matrix are called `score[r=8,lr=0.0002]`, and an axis may hold any text.
  const name = fc.oneof(
    fc.stringMatching(/^[a-z][a-z0-9-]{0,8}(\[[a-z]=[0-9.]{1,3}\])?$/),
    fc.string({ unit: 'binary', maxLength: 6 }).filter((text) => text !== '__proto__'),
  )
  const facts = fc.dictionary(name, fc.jsonValue({ stringUnit: 'binary', maxDepth: 2 }), { maxKeys: 4 })
  fc.assert(
    fc.property(fc.dictionary(name, fc.dictionary(name, facts, { maxKeys: 3 }), { maxKeys: 3 }), (any) => {
      const plain = JSON.parse(JSON.stringify(any)) as Lock
      expect(parseLock(lockText(plain), 'p.lock')).toEqual(plain)
    }),
  )
  const crlf = lockText(lock).replaceAll('\n', '\r\n')
  expect(parseLock(crlf, 'p.lock')).toEqual(lock)
  const separators = { stages: { a: { 'with.text': 'one\u2028two\u2029\r\nthree' } } }
  expect(parseLock(lockText(separators), 'p.lock')).toEqual(separators)
})

test('conflict markers are named with their line and the way out', () => {
  const text = lockText(lock).split('\n')
  text.splice(4, 0, '<<<<<<< HEAD')
  expect(() => parseLock(text.join('\n'), 'p.lock')).toThrow(
    /^p\.lock:5 the lock file holds conflict markers/,
  )
})

test.each([
  ['a cut value', '    key: "sha2'],
  ['no value', '    key:x'],
  ['a fact without an entry', '    key: 1', 'stages:\n'],
  ['a wrong depth', '   key: 1'],
  ['another format', 'lock: 2'],
  ['a list', '  - a'],
])('a damaged line is refused: %s', (_, line, before = 'stages:\n  train:\n') => {
  const at = before.split('\n').length
  expect(() => parseLock(`${before}${line}\n`, 'p.lock')).toThrow(
    new RegExp(`^p\\.lock:${String(at)} the lock file is damaged`),
  )
})

test('is not touched when it says the same, and absent is not an error', () => {
  const path = join(newRoot(), 'p.lock')
  expect(readLock(path)).toBeNull()
  writeLock(path, lock)
  const before = statSync(path).ino
  writeLock(path, lock)
  expect(statSync(path).ino).toBe(before)
  writeLock(path, { ...lock, gates: { gate: { verdict: 'fail' } } })
  expect(readLock(path)?.['gates']?.['gate']).toEqual({ verdict: 'fail' })
  writeFileSync(path, '>>>>>>> theirs\n')
  expect(() => readLock(path)).toThrow(/conflict markers/)
})
