// Median and a distribution-free interval of it, for numbers that come from noisy machines.

/** @param {readonly number[]} values */
export function median(values) {
  if (values.length === 0) return NaN
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * The interval of order statistics that holds the true median with a probability of at least `confidence`, whatever
 * the distribution (the interval of the sign test). Null for fewer than six values, which cannot give 95 %.
 *
 * @param {readonly number[]} values
 * @returns {{ low: number, high: number } | null}
 */
export function medianInterval(values, confidence = 0.95) {
  const sorted = [...values].sort((a, b) => a - b)
  const n = sorted.length
  // How many values may lie outside on one side: the largest k with P(Binomial(n, 1/2) < k) <= (1 - confidence) / 2.
  let tail = 0
  let probability = 0.5 ** n
  let k = 0
  while (k < n && tail + probability <= (1 - confidence) / 2) {
    tail += probability
    probability = (probability * (n - k)) / (k + 1)
    k++
  }
  return k === 0 ? null : { low: sorted[k - 1], high: sorted[n - k] }
}
