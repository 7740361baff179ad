/** A seeded random generator whose state can be kept and taken up again: xoshiro128** by Blackman and Vigna. */

export interface Random {
  /** A whole number in [0, 2^32). */
  next(): number
  /** A number in [0, 1) with 53 random bits. */
  uniform(): number
  /** Standard normal, by the Box-Muller transform; both of a pair are used. */
  normal(): number
  /** A whole number in [0, bound), without bias. */
  below(bound: number): number
  /** Shuffles in place. */
  shuffle<T>(items: T[]): void
  /** Fills with 1 at probability `keep`, else 0; `keep` is rounded to a multiple of 2^-16. */
  bernoulli(mask: Uint8Array, keep: number): void
  state(): RandomState
}

/** Four 32-bit words, and the second half of a normal pair that is still unused. */
export interface RandomState {
  readonly words: readonly number[]
  readonly spare: number | null
}

/** A generator for `seed` and a purpose, so that e.g. shuffles do not change when dropout is switched on. */
export function seededRandom(seed: number, purpose: string): Random {
  // FNV-1a over the purpose, then splitmix32 spreads seed and hash over the state.
  let hash = 0x811c9dc5
  for (let i = 0; i < purpose.length; i++) hash = Math.imul(hash ^ purpose.charCodeAt(i), 0x01000193)
  let mix = Math.imul(seed | 0, 0x9e3779b1) ^ Math.floor(seed / 2 ** 32) ^ hash
  const words = Array.from({ length: 4 }, () => {
    mix = (mix + 0x9e3779b9) | 0
    let z = mix
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  })
  return resumeRandom({ words, spare: null })
}

/** Continues exactly where `state()` was taken. */
export function resumeRandom(state: RandomState): Random {
  const words = Int32Array.from(state.words, (word) => word | 0)
  let spare = state.spare
  const next = (): number => advance(words)
  const uniform = (): number => ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992
  const below = (bound: number): number => {
    const limit = 2 ** 32 - (2 ** 32 % bound)
    for (;;) {
      const draw = next()
      if (draw < limit) return draw % bound
    }
  }
  return {
    next,
    uniform,
    normal() {
      if (spare !== null) {
        const value = spare
        spare = null
        return value
      }
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()))
      const angle = 2 * Math.PI * uniform()
      spare = radius * Math.sin(angle)
      return radius * Math.cos(angle)
    },
    below,
    shuffle(items) {
      for (let i = items.length - 1; i > 0; i--) {
        const j = below(i + 1)
        const item = items[i]!
        items[i] = items[j]!
        items[j] = item
      }
    },
    bernoulli: (mask, keep) => fillBernoulli(words, mask, Math.round(keep * 65536)),
    state: () => ({ words: Array.from(words, (word) => word >>> 0), spare }),
  }
}

function advance(s: Int32Array): number {
  const five = Math.imul(s[1]!, 5)
  const result = Math.imul((five << 7) | (five >>> 25), 9)
  const shifted = s[1]! << 9
  s[2]! ^= s[0]!
  s[3]! ^= s[1]!
  s[1]! ^= s[2]!
  s[0]! ^= s[3]!
  s[2]! ^= shifted
  s[3] = (s[3]! << 11) | (s[3]! >>> 21)
  return result >>> 0
}

function fillBernoulli(words: Int32Array, mask: Uint8Array, threshold: number): void {
  for (let i = 0; i < mask.length; i += 2) {
    const draw = advance(words)
    mask[i] = (draw & 0xffff) < threshold ? 1 : 0
    if (i + 1 < mask.length) mask[i + 1] = draw >>> 16 < threshold ? 1 : 0
  }
}
