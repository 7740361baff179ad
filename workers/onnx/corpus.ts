/** Plain text as an endless stream of training windows: documents in random order with an end token between. */
import type { TokenText } from './batches.ts'
import type { Random } from './random.ts'
import { shuffledEpochs } from './text-order.ts'

/** Documents are separated by blank lines; lines inside a document stay as they are. */
export function splitDocuments(text: string): string[] {
  return text
    .replace(/^\uFEFF/, '')
    .replace(/\r\n?/g, '\n')
    .split(/\n[^\S\n]*(?:\n[^\S\n]*)+/)
    .map((document) => document.trim())
    .filter((document) => document !== '')
}

export interface WindowStream {
  /** `context + 1` tokens: every token but the first is a target. Neighbours overlap by one token. */
  next(): TokenText
  /** How often the stream has begun a new pass over the documents. */
  readonly epoch: number
}

/** Lays documents end to end, each followed by `end`, in a new order each epoch, and cuts the result into windows. */
export function corpusWindows(
  documents: readonly (readonly number[])[],
  end: number,
  context: number,
  random: Random,
): WindowStream {
  const order = shuffledEpochs(documents.length, random)
  // The text starts like every document inside it: after an end.
  let pending: number[] = [end]
  const loss = new Uint8Array(context + 1).fill(1, 1)
  return {
    next() {
      while (pending.length < context + 1) pending = [...pending, ...documents[order.next()]!, end]
      const ids = Int32Array.from(pending.slice(0, context + 1))
      pending = pending.slice(context)
      return { ids, loss }
    },
    get epoch() {
      return order.epoch
    },
  }
}
