// How fast files are hashed: one large file against `openssl dgst -sha256`, and two files against one.
//
//   node bench/hashing.mjs                    (--mebibytes 4096, --rounds 7)
//
// The files are read once before, so that all of them come from memory: needed is twice their size. The two files have
// half the size each, so every column hashes the same number of bytes. Each side is timed as a whole process.
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { randomFillSync } from 'node:crypto'
import { build } from 'esbuild'
import { projectRoot } from './project-copy.mjs'
import { median, medianInterval } from './statistics.mjs'
import { digits, printTable } from './table.mjs'

/** Speed of one file as a share of openssl's; speed of two files on two threads over that of one. */
const LIMITS = { openssl: 0.9, two: 1.6 }
const CHUNK = 1 << 20

const { values: options } = parseArgs({
  options: { mebibytes: { type: 'string', default: '4096' }, rounds: { type: 'string', default: '7' } },
})
mkdirSync(join(projectRoot, 'build'), { recursive: true })
const folder = mkdtempSync(join(projectRoot, 'build', 'hashing-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const program = join(folder, 'hashing-engine.mjs')
await build({
  entryPoints: [join(projectRoot, 'bench', 'hashing-engine.ts')],
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  outfile: program,
  logLevel: 'warning',
})

const mebibytes = Number(options.mebibytes)
const fileOf = (name, size) => {
  const path = join(folder, name)
  const bytes = randomFillSync(Buffer.alloc(CHUNK))
  const fd = openSync(path, 'w')
  for (let i = 0; i < size; i++) {
    bytes.writeUInt32LE(i, 0)
    writeSync(fd, bytes)
  }
  closeSync(fd)
  return path
}
const one = fileOf('one', mebibytes)
const halves = [fileOf('half-a', mebibytes >> 1), fileOf('half-b', mebibytes >> 1)]

const timed = (command, args) => {
  const began = performance.now()
  const said = execFileSync(command, args, { encoding: 'utf8' })
  return { seconds: (performance.now() - began) / 1000, said }
}
const sides = {
  openssl: () => timed('openssl', ['dgst', '-sha256', '-r', one]),
  one: () => timed(process.execPath, [program, one]),
  two: () => timed(process.execPath, [program, ...halves]),
}
const digestOf = { openssl: sides.openssl().said.slice(0, 64), one: JSON.parse(sides.one().said).digests[0] }
if (digestOf.one !== `sha256:${digestOf.openssl}`) throw new Error('the two sides give other digests')
sides.two()

const seconds = { openssl: [], one: [], two: [] }
for (let round = 0; round < Number(options.rounds); round++)
  for (const name of Object.keys(sides)) seconds[name].push(sides[name]().seconds)

const rows = [
  [`one file of ${mebibytes} MiB, openssl's time over ours`, 'openssl', 'one', LIMITS.openssl],
  ['two files of half the size, the one file over them', 'one', 'two', LIMITS.two],
].map(([what, before, after, limit]) => {
  const ratios = seconds[before].map((value, i) => value / seconds[after][i])
  const interval = medianInterval(ratios)
  const speed = (name) => digits(mebibytes / 1024 / median(seconds[name]), 2)
  return [
    what,
    speed(before),
    speed(after),
    digits(median(ratios), 2),
    interval === null ? '' : `${digits(interval.low, 2)} to ${digits(interval.high, 2)}`,
    digits(limit, 2),
    median(ratios) >= limit ? 'good' : 'too slow',
  ]
})
printTable([['', 'GiB/s before', 'GiB/s after', 'ratio', '95 % interval', 'at least', ''], ...rows])
process.exitCode = rows.every((row) => row.at(-1) === 'good') ? 0 : 3
