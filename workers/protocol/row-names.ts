/** Which fields of a row are prompt and response where no schema says so: workers read by it, and the engine looks ahead. */

export interface RowNames {
  readonly prompt: string
  readonly response: string
  /** A field that is appended to the prompt where it is present. */
  readonly extra: string | null
}

/** The first pair that a row has counts. */
export const ROW_NAMES: readonly RowNames[] = [
  { prompt: 'prompt', response: 'response', extra: null },
  { prompt: 'prompt', response: 'completion', extra: null },
  { prompt: 'question', response: 'answer', extra: null },
  { prompt: 'instruction', response: 'output', extra: 'input' },
]
