/** Final norm, output head and cross-entropy, in chunks of rows so that no full table of logits ever exists. */
import { turn } from './graph-context.ts'
import type { GraphContext } from './graph-context.ts'
import { forwardNorm, backwardNorm } from './graph-norm.ts'
import { gradientName } from './graph-weights.ts'

/** Output: weighted hidden states, one per target, [targets, hidden]; the caller subtracts them from the head's rows. */
export const HEAD_ROWS = 'head rows'

/** Logits of one chunk: at most this many numbers (16 MiB). */
const CHUNK_ELEMENTS = 4 * 1024 * 1024

/**
 * Emits the output `nll` [targets]. With `gradients` returns the gradient of `hidden`, [tokens, hidden], of the loss
 * sum(weights · nll), and emits the head's gradient if the head is trained (without the labels' rows: HEAD_ROWS).
 */
export function emitLossHead(
  context: GraphContext,
  hidden: string,
  targets: number,
  gradients: boolean,
): string | null {
  const { graph, config, weights } = context
  const tokens = context.rows * context.length
  const picks = targets < tokens
  const rows = picks
    ? graph.one('Gather', [hidden, graph.input('picked', 'i64', [targets])], { axis: 0 })
    : hidden
  const norm = forwardNorm(context, 'model.norm.weight', rows)
  const headName = config.tieWordEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight'
  const head = weights.get(headName)
  const trainsHead = gradients && weights.trains(headName)
  const labels = graph.input('labels', 'i64', [targets])
  const lossWeights = gradients ? graph.input('weights', 'f32', [targets]) : null

  const sizes = chunkSizes(targets, config.vocabSize)
  const split = (value: string): string[] =>
    sizes.length === 1
      ? [value]
      : graph.node('Split', [value, graph.shape(...sizes)], {
          attributes: { axis: 0 },
          outputs: sizes.length,
        })
  const [states, labelChunks] = [split(norm.output), split(labels)]
  const weightChunks = lossWeights === null ? [] : split(lossWeights)

  const nlls: string[] = []
  const stateGradients: string[] = []
  const weightedStates: string[] = []
  let headGradient: string[] = []
  sizes.forEach((size, i) => {
    const [state, label] = [states[i]!, labelChunks[i]!]
    const logits = graph.one('Gemm', [state, head], { transB: 1 })
    const probabilities = graph.one('Softmax', [logits], { axis: -1 })
    const largest = graph.one('ReduceMax', [logits, graph.shape(-1)], { keepdims: 1 })
    // The largest probability is exp(largest - logsumexp), and never tiny.
    const logLargest = graph.one('Log', [
      graph.one('ReduceMax', [probabilities, graph.shape(-1)], { keepdims: 1 }),
    ])
    const logSum = graph.one('Sub', [largest, logLargest])
    const column = graph.one('Reshape', [label, graph.shape(size, 1)])
    const labelLogit = graph.one('GatherElements', [logits, column], { axis: 1 })
    nlls.push(graph.one('Sub', [logSum, labelLogit]))
    if (weightChunks.length === 0) return
    const weight = graph.one('Reshape', [weightChunks[i]!, graph.shape(size, 1)])
    const expected = graph.one('Gemm', [probabilities, head])
    const difference = graph.one('Sub', [expected, graph.one('Gather', [head, label], { axis: 0 })])
    stateGradients.push(graph.one('Mul', [difference, weight]))
    if (!trainsHead) return
    const weighted = graph.one('Mul', [state, weight])
    weightedStates.push(weighted)
    const last = i === sizes.length - 1
    headGradient = graph.node('Gemm', [turn(graph, weighted), probabilities, ...headGradient])
    if (last) turn(graph, headGradient[0]!, [gradientName(headName)])
  })

  const join = (values: readonly string[]): string =>
    values.length === 1 ? values[0]! : graph.one('Concat', values, { axis: 0 })
  graph.node('Reshape', [join(nlls), graph.shape(targets)], { outputs: ['nll'] })
  graph.output('nll', 'f32', [targets])
  if (!gradients) return null
  if (trainsHead) {
    graph.node('Identity', [join(weightedStates)], { outputs: [HEAD_ROWS] })
    graph.output(HEAD_ROWS, 'f32', [targets, config.hiddenSize])
  }
  const rowGradient = backwardNorm(context, norm, join(stateGradients))
  if (!picks) return rowGradient
  // Positions without a loss read the row of zeros that is appended here.
  const zeros = graph.constant('zero row', 'f32', [1, config.hiddenSize], new Float32Array(config.hiddenSize))
  const padded = graph.one('Concat', [rowGradient, zeros], { axis: 0 })
  return graph.one('Gather', [padded, graph.input('places', 'i64', [tokens])], { axis: 0 })
}

function chunkSizes(targets: number, vocabSize: number): number[] {
  const chunks = Math.ceil(targets / Math.max(64, Math.floor(CHUNK_ELEMENTS / vocabSize)))
  const size = Math.ceil(targets / chunks)
  return Array.from({ length: chunks }, (_, i) => Math.min(size, targets - i * size)).filter((n) => n > 0)
}
