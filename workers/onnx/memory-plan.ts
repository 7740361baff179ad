/** Decides whether activations are kept or recomputed, from an estimate of their size. */
import { totalmem } from 'node:os'
import type { LlamaConfig } from './model-dir.ts'

/** Bytes that one batch's forward pass keeps for its backward pass. */
export function activationBytes(config: LlamaConfig, rows: number, length: number): number {
  const tokens = rows * length
  const attention = config.heads * config.headDim + 2 * config.kvHeads * config.headDim
  // Per layer and token: norms and residuals, q k v in two layouts, the attention rows, and the gated unit's parts.
  const perToken = 6 * config.hiddenSize + 3 * attention + config.heads * length + 5 * config.intermediateSize
  return 4 * tokens * config.layers * perToken
}

/** Whether keeping everything would take more than a third of the machine's memory. */
export function shouldRecompute(config: LlamaConfig, rows: number, length: number): boolean {
  return activationBytes(config, rows, length) > totalmem() / 3
}
