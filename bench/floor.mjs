// The least that a no-op has to do: walk a folder, stat every file with nanoseconds, compare with what is known.
//
//   node bench/floor.mjs FOLDER known.bin      (writes known.bin if it is not there)
//
// One process, one file, no library: what an engine needs beyond this is its own.
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'

const FIELDS = 5
const [folder, memory] = process.argv.slice(2)
const known = existsSync(memory) ? new BigInt64Array(new Uint8Array(readFileSync(memory)).buffer) : null
let stamps = known ?? new BigInt64Array(FIELDS * 1024)
let at = 0
let changed = 0

const visit = (dir) => {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = `${dir}/${entry.name}`
    if (entry.isDirectory()) visit(path)
    else compare(statSync(path, { bigint: true }))
  }
}
visit(folder)
if (known === null) writeFileSync(memory, new Uint8Array(stamps.buffer, 0, at * 8))
else if (at !== known.length) changed += 1
console.log(`${at / FIELDS} files, ${changed} changed`)

function compare({ dev, ino, size, mtimeNs, ctimeNs }) {
  if (known === null) {
    if (at === stamps.length) {
      const larger = new BigInt64Array(stamps.length * 2)
      larger.set(stamps)
      stamps = larger
    }
    stamps.set([dev, ino, size, mtimeNs, ctimeNs], at)
  } else if (
    stamps[at] !== dev ||
    stamps[at + 1] !== ino ||
    stamps[at + 2] !== size ||
    stamps[at + 3] !== mtimeNs ||
    stamps[at + 4] !== ctimeNs
  )
    changed += 1
  at += FIELDS
}
