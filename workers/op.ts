/** The shape of one operation of our Node workers, and how it fails in words. */
import type { JsonObject } from './protocol/json.ts'
import type { FailureKind, InputFiles } from './protocol/messages.ts'

export interface OpContext {
  /** Options; already valid, defaults filled in. */
  readonly with: JsonObject
  /** Role -> files. Optional inputs that nothing feeds are absent. */
  readonly inputs: Readonly<Record<string, InputFiles>>
  /** Output -> absolute path of an existing empty directory. */
  readonly outputs: Readonly<Record<string, string>>
  readonly threads: number
  /** Reports how far the job is; call as often as you like, the host limits the rate. */
  progress(done: number, total: number, unit: string, values?: Readonly<Record<string, number>>): void
  note(level: 'info' | 'warning', text: string): void
  /** Lets messages in, then throws `JobError('cancelled')` if the engine asked to stop. Await it at step boundaries. */
  throwIfCancelled(): Promise<void>
  /** Absent where nobody keeps any. */
  readonly checkpoints?: Checkpoints
}

/** What a long op keeps on the way, so that a later attempt at the same job loses little. */
export interface Checkpoints {
  /** What an earlier attempt kept, complete and verified; null to begin at the beginning. */
  readonly found: { readonly dir: string; readonly step: number } | null
  /** Says that the op goes on from what was found. */
  resumed(): void
  /** Whether it is time to save. */
  isDue(): boolean
  /**
   * Keeps the state after `step` complete steps: `write` fills an empty folder with plain files. A checkpoint is a
   * help and no duty: where it cannot be written, a note says so and the op goes on.
   */
  save(step: number, write: (dir: string) => void): void
}

/** Runs one job and returns a small summary (counts, final values) that is shown and kept with the result. */
export type Op = (context: OpContext) => Promise<JsonObject>

/** A failure that a person can act on. Anything else thrown by an op is reported as a bug. */
export class JobError extends Error {
  readonly kind: FailureKind
  readonly help: string | null
  constructor(kind: FailureKind, message: string, help: string | null = null) {
    super(message)
    this.kind = kind
    this.help = help
  }
}
