/** Turns texts of different lengths into batches of few static shapes: short texts share a row, gaps weigh nothing. */

/** One text: the token at `t` is a target, predicted from those before it, if `loss[t]` is 1. */
export interface TokenText {
  readonly ids: Int32Array
  readonly loss: Uint8Array
}

export interface BatchShape {
  readonly rows: number
  readonly length: number
  /** How many positions have a loss slot; equal to rows · length if every position has. */
  readonly targets: number
}

/** Feeds of one graph run; see `buildLlamaGraph`. */
export interface Batch {
  readonly shape: BatchShape
  readonly ids: BigInt64Array
  readonly positions: BigInt64Array
  readonly segments: Int32Array
  readonly labels: BigInt64Array
  /** Which position each loss slot reads, and which slot each position has (`targets` for none). */
  readonly picked: BigInt64Array
  readonly places: BigInt64Array
  /** Which text each loss slot belongs to; -1 for an unused slot. */
  readonly owners: Int32Array
  /** Tokens that are no padding, and targets. */
  readonly tokens: number
  readonly supervised: number
}

export interface PackingOptions {
  /** Row lengths are rounded up to a multiple of this, so that few shapes occur. */
  readonly roundTo: number
  /** At most so many positions in one batch (one text always fits). */
  readonly maxTokens: number
}

/** Packs texts into as many batches as needed. `owners` are indices into `texts`. */
export function packBatches(texts: readonly TokenText[], options: PackingOptions): Batch[] {
  // The last token is only a label, never an input.
  const inputLength = (text: number): number => texts[text]!.ids.length - 1
  const order = [...texts.keys()].filter((text) => inputLength(text) > 0)
  order.sort((a, b) => inputLength(b) - inputLength(a) || a - b)
  if (order.length === 0) return []
  const length = Math.ceil(inputLength(order[0]!) / options.roundTo) * options.roundTo
  const bins: { texts: number[]; used: number }[] = []
  for (const text of order) {
    const bin = bins.find((candidate) => candidate.used + inputLength(text) <= length)
    if (bin === undefined) bins.push({ texts: [text], used: inputLength(text) })
    else {
      bin.texts.push(text)
      bin.used += inputLength(text)
    }
  }
  const most = Math.max(1, Math.floor(options.maxTokens / length))
  // Equal parts: 9 rows with room for 8 become 5 and 4, not 8 and 1.
  const parts = Math.ceil(bins.length / most)
  const rows = Math.ceil(bins.length / parts)
  return Array.from({ length: parts }, (_, part) =>
    layOut(
      texts,
      bins.slice(part * rows, (part + 1) * rows).map((bin) => bin.texts),
      length,
    ),
  ).filter((batch) => batch.tokens > 0)
}

function layOut(texts: readonly TokenText[], bins: readonly (readonly number[])[], length: number): Batch {
  const size = bins.length * length
  const ids = new Int32Array(size)
  const positions = new Int32Array(size)
  // Padding attends to padding only, because no text has this segment.
  const segments = new Int32Array(size).fill(-1)
  const labelAt = new Int32Array(size)
  const ownerAt = new Int32Array(size).fill(-1)
  let [tokens, supervised] = [0, 0]
  bins.forEach((bin, row) => {
    let at = row * length
    for (const text of bin) {
      const { ids: tokenIds, loss } = texts[text]!
      for (let t = 0; t < tokenIds.length - 1; t++, at++) {
        ids[at] = tokenIds[t]!
        positions[at] = t
        segments[at] = text
        tokens += 1
        if (loss[t + 1] === 0) continue
        labelAt[at] = tokenIds[t + 1]!
        ownerAt[at] = text
        supervised += 1
      }
    }
  })
  // A quarter's granularity: fewer loss slots than positions save work, but every count is a shape of its own.
  const quarter = Math.ceil(size / 4)
  const targets = Math.min(size, Math.max(1, Math.ceil(supervised / quarter)) * quarter)
  const { slots, places } = assignSlots(ownerAt, targets)
  return {
    shape: { rows: bins.length, length, targets },
    ids: int64(ids),
    positions: int64(positions),
    segments,
    labels: int64(slots.map((at) => labelAt[at]!)),
    picked: int64(slots),
    places: int64(places),
    owners: slots.map((at, slot) => (places[at] === slot ? ownerAt[at]! : -1)),
    tokens,
    supervised,
  }
}

/** Unused slots read position 0; position 0 does not read them back. */
function assignSlots(ownerAt: Int32Array, targets: number): { slots: Int32Array; places: Int32Array } {
  if (targets === ownerAt.length) {
    const identity = Int32Array.from(ownerAt.keys())
    return { slots: identity, places: identity }
  }
  const slots = new Int32Array(targets)
  const places = new Int32Array(ownerAt.length).fill(targets)
  let slot = 0
  for (let at = 0; at < ownerAt.length; at++) {
    if (ownerAt[at]! < 0) continue
    slots[slot] = at
    places[at] = slot++
  }
  return { slots, places }
}

/** Non-negative numbers as int64, without a BigInt for each: little-endian low words are written directly. */
function int64(values: Int32Array): BigInt64Array {
  const words = new Int32Array(values.length * 2)
  for (let i = 0; i < values.length; i++) words[2 * i] = values[i]!
  return new BigInt64Array(words.buffer)
}
