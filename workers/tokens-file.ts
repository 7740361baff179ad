/** The binary file of encoded rows: token ids, which of them are learnt, where rows start, what rows are called. */
import { readFile, writeFile } from 'node:fs/promises'
import { JobError } from './op.ts'

/** Rows laid end to end: row `i` is `offsets[i]` up to `offsets[i + 1]` of `ids` and `loss`. */
export interface TokenRows {
  readonly ids: Int32Array
  /** 1 if the token is a target: it is predicted from the tokens before it and its loss counts. */
  readonly loss: Uint8Array
  /** Rows + 1 numbers, first 0, last `ids.length`, never falling. */
  readonly offsets: Uint32Array
  readonly rowIds: readonly string[]
}

/*
 * Layout, little-endian whatever the machine:
 *   0  "SLUICTOK"
 *   8  u32 version, u32 rows, u32 tokens, u32 bytes of row ids
 *  24  i32 ids[tokens] | u32 offsets[rows + 1] | u8 loss[ceil(tokens / 8)] (bit t % 8 of byte t / 8) | row ids, JSON
 * The length is fully determined by the header, so a cut file is always noticed.
 */
const MAGIC = 'SLUICTOK'
const VERSION = 1
const HEADER = 24

/** Writes `rows` to `path`. Throws `RangeError` if their lengths contradict each other (a bug of the caller). */
export async function writeTokens(path: string, rows: TokenRows): Promise<void> {
  const { ids, loss, offsets, rowIds } = rows
  const inconsistency = findInconsistency(rows)
  if (inconsistency) throw new RangeError(`token rows: ${inconsistency}`)
  const names = Buffer.from(JSON.stringify(rowIds), 'utf8')
  const lossAt = HEADER + 4 * ids.length + 4 * offsets.length
  const namesAt = lossAt + Math.ceil(ids.length / 8)
  const bytes = Buffer.alloc(namesAt + names.length)
  bytes.write(MAGIC, 0, 'latin1')
  bytes.writeUInt32LE(VERSION, 8)
  bytes.writeUInt32LE(rowIds.length, 12)
  bytes.writeUInt32LE(ids.length, 16)
  bytes.writeUInt32LE(names.length, 20)
  ids.forEach((id, t) => bytes.writeInt32LE(id, HEADER + 4 * t))
  offsets.forEach((offset, i) => bytes.writeUInt32LE(offset, HEADER + 4 * ids.length + 4 * i))
  loss.forEach((bit, t) => {
    if (bit) bytes.writeUInt8(bytes.readUInt8(lossAt + (t >> 3)) | (1 << (t & 7)), lossAt + (t >> 3))
  })
  names.copy(bytes, namesAt)
  await writeFile(path, bytes)
}

/**
 * Reads what `writeTokens` wrote. Throws `JobError('input')` that names the file if it is not such a file,
 * of another version, cut short, or contradicts itself.
 */
export async function readTokens(path: string): Promise<TokenRows> {
  const bytes = await readFile(path)
  const damaged = (what: string): JobError =>
    new JobError('input', `${path}: ${what}`, 'Run the stage that made it again.')
  if (bytes.length < 8 || bytes.toString('latin1', 0, 8) !== MAGIC) {
    throw damaged('not a tokens file (it does not start with the mark of one)')
  }
  if (bytes.length < HEADER) throw damaged(`cut short inside its header (${bytes.length} bytes)`)
  const version = bytes.readUInt32LE(8)
  if (version !== VERSION) throw damaged(`tokens file of version ${version}; this Sluice reads ${VERSION}`)
  const rowCount = bytes.readUInt32LE(12)
  const tokenCount = bytes.readUInt32LE(16)
  const namesLength = bytes.readUInt32LE(20)
  const offsetsAt = HEADER + 4 * tokenCount
  const lossAt = offsetsAt + 4 * (rowCount + 1)
  const namesAt = lossAt + Math.ceil(tokenCount / 8)
  const expected = namesAt + namesLength
  if (bytes.length !== expected) {
    throw damaged(`${bytes.length} bytes where its header promises ${expected}`)
  }
  const rows: TokenRows = {
    ids: Int32Array.from({ length: tokenCount }, (_, t) => bytes.readInt32LE(HEADER + 4 * t)),
    offsets: Uint32Array.from({ length: rowCount + 1 }, (_, i) => bytes.readUInt32LE(offsetsAt + 4 * i)),
    loss: Uint8Array.from(
      { length: tokenCount },
      (_, t) => (bytes.readUInt8(lossAt + (t >> 3)) >> (t & 7)) & 1,
    ),
    rowIds: parseNames(bytes.toString('utf8', namesAt)) ?? [],
  }
  const inconsistency = findInconsistency(rows)
  if (inconsistency) throw damaged(inconsistency)
  return rows
}

function parseNames(text: string): readonly string[] | null {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) && value.every((name) => typeof name === 'string') ? value : null
  } catch {
    return null
  }
}

function findInconsistency({ ids, loss, offsets, rowIds }: TokenRows): string | null {
  if (loss.length !== ids.length) return `${loss.length} loss marks for ${ids.length} tokens`
  if (offsets.length !== rowIds.length + 1) return `${offsets.length} offsets for ${rowIds.length} row ids`
  if (offsets[0] !== 0 || offsets.at(-1) !== ids.length) return 'row offsets do not cover the tokens'
  for (let i = 1; i < offsets.length; i++) {
    if ((offsets[i] ?? 0) < (offsets[i - 1] ?? 0)) return `row ${i} ends before it starts`
  }
  return null
}
