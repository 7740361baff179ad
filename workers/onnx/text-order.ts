/** Endless orders of a fixed set of items: every epoch is a new shuffle. */
import type { Random } from './random.ts'

export interface EpochOrder {
  next(): number
  /** Complete epochs and items taken of the current one. */
  readonly epoch: number
}

/** Draws indices 0 .. count-1, each once per epoch. */
export function shuffledEpochs(count: number, random: Random): EpochOrder {
  const order = Array.from({ length: count }, (_, i) => i)
  let at = count
  let epoch = -1
  return {
    next() {
      if (at === count) {
        random.shuffle(order)
        at = 0
        epoch += 1
      }
      return order[at++]!
    },
    get epoch() {
      return epoch
    },
  }
}
