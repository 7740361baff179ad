/** Seeded paired bootstrap: how sure we may be that one system is better than another on the same rows. */

export interface Bootstrap {
  /** Value of ours minus value of theirs on all rows. */
  readonly difference: number
  /** 2.5 % and 97.5 % points of that difference over the resamples. */
  readonly interval: readonly [number, number]
  /**
   * One-sided p: the share of resamples, counting the sample itself once, in which ours was not greater.
   * Small means that ours is greater on other rows of this kind, too.
   */
  readonly p: number
  readonly resamples: number
}

/** A 32-bit counter with a mixing step: enough for choosing rows, and the same on every machine. */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}

/**
 * Resamples rows with replacement, the same rows for both systems.
 *
 * `ours[i]` and `theirs[i]` are statistics of row i; `value` turns any list of them into the metric, for example
 * `corpusBleu`. Throws `RangeError` if the lists differ in length or are empty.
 */
export function pairedBootstrap<Stats>(
  ours: readonly Stats[],
  theirs: readonly Stats[],
  value: (rows: readonly Stats[]) => number,
  options: { readonly seed: number; readonly resamples: number },
): Bootstrap {
  const { seed, resamples } = options
  if (ours.length !== theirs.length) {
    throw new RangeError(`a paired bootstrap needs the same rows: ${ours.length} against ${theirs.length}`)
  }
  if (ours.length === 0 || resamples < 1)
    throw new RangeError('a bootstrap needs at least one row and one resample')
  const random = generator(seed)
  const differences = new Float64Array(resamples)
  let notGreater = 0
  for (let resample = 0; resample < resamples; resample++) {
    const chosen = ours.map(() => Math.floor(random() * ours.length))
    const difference = value(chosen.map((row) => ours[row]!)) - value(chosen.map((row) => theirs[row]!))
    differences[resample] = difference
    if (!(difference > 0)) notGreater++
  }
  differences.sort()
  const at = (share: number) => differences[Math.round(share * (resamples - 1))]!
  return {
    difference: value(ours) - value(theirs),
    interval: [at(0.025), at(0.975)],
    p: (1 + notGreater) / (1 + resamples),
    resamples,
  }
}
