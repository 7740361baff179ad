/** One measurement for bench/hashing.mjs: the files are hashed as the engine hashes sources and outputs. */
import { statSync } from 'node:fs'
import { digestText } from '../engine/store/digest.ts'
import { hashFiles } from '../engine/store/hash-files.ts'

const files = process.argv.slice(2).map((path) => ({ path, size: statSync(path).size }))
const digests: string[] = []
const began = performance.now()
await hashFiles(files, (index, { digest }) => {
  digests[index] = digestText(digest)
})
process.stdout.write(JSON.stringify({ ms: performance.now() - began, digests }))
