/** Everything that can happen in a run; what the screen, the log and the tests see. */
import type { JudgedCheck, Verdict } from '../../dsl/judge.ts'
import type { JsonObject } from '../../dsl/stage-signature.ts'
import type { Digest } from '../artifact.ts'

/** Format of run.jsonl. */
export const LOG_FORMAT = 1

export type FailureCause =
  | 'input'
  | 'memory'
  /** Another limit of the machine, such as a full disk. */
  | 'resources'
  | 'cancelled'
  | 'bug'
  | 'timeout'
  | 'worker-lost'
  /** A `watch:` stopped it. */
  | 'watch'

export type RunEvent =
  | {
      readonly type: 'run.start'
      readonly format: number
      readonly run: string
      readonly pipeline: string
      readonly stages: readonly string[]
    }
  /** Another run of the pipeline is showing its outputs. */
  | { readonly type: 'run.waiting'; readonly holder: string }
  | {
      readonly type: 'stage.cached'
      readonly stage: string
      readonly key: Digest
      readonly summary: JsonObject
      /** Who made it while this run wanted it, as `made by run 7`; null if it was in the store already. */
      readonly from: string | null
    }
  /** Another run, or another stage of this one, is making the same result. */
  | { readonly type: 'stage.waiting'; readonly stage: string; readonly holder: string }
  /** A result that others shared is on its way here: so many bytes. */
  | { readonly type: 'stage.pulling'; readonly stage: string; readonly bytes: number }
  | {
      readonly type: 'stage.start'
      readonly stage: string
      readonly key: Digest
      readonly attempt: number
      /** Why it runs, as `plan` would say it. */
      readonly reason: string
    }
  | {
      readonly type: 'progress'
      readonly stage: string
      readonly op: string
      readonly done: number
      readonly total: number
      readonly unit: string
      readonly values: Readonly<Record<string, number | null>>
    }
  | {
      readonly type: 'note'
      readonly stage: string
      readonly level: 'info' | 'warning'
      readonly text: string
    }
  /** What the stage has done so far can be taken up again after a kill. */
  | { readonly type: 'stage.checkpoint'; readonly stage: string; readonly step: number }
  /** The attempt goes on from what an earlier one kept. */
  | { readonly type: 'stage.resumed'; readonly stage: string; readonly step: number }
  | {
      readonly type: 'stage.done'
      readonly stage: string
      readonly key: Digest
      readonly durationMs: number
      readonly summary: JsonObject
    }
  /** Its work is done as far as people let it: it waits for them, and so does what reads it. */
  | {
      readonly type: 'stage.paused'
      readonly stage: string
      readonly key: Digest
      readonly waitsFor: string
    }
  | {
      readonly type: 'stage.failed'
      readonly stage: string
      readonly cause: FailureCause
      readonly message: string
      readonly help: string | null
      /** The attempt's folder, relative to the project root. */
      readonly log: string | null
    }
  /** The attempt failed in a way that `retry:` names; the next one starts after a pause. */
  | {
      readonly type: 'stage.retry'
      readonly stage: string
      readonly attempt: number
      readonly cause: FailureCause
      readonly message: string
      readonly waitMs: number
    }
  /** A `select` chose; `chosen` is the winner's point, such as `r=8,lr=2e-4`. */
  | {
      readonly type: 'stage.chosen'
      readonly stage: string
      readonly key: Digest
      readonly chosen: string
      readonly summary: JsonObject
    }
  /** An `export` wrote its folder, or found it as it should be (`written` is false). */
  | {
      readonly type: 'stage.exported'
      readonly stage: string
      readonly key: Digest
      readonly written: boolean
      readonly summary: JsonObject
    }
  /** Its bytes came from the remote cache; `stage.cached` follows. */
  | { readonly type: 'stage.pulled'; readonly stage: string; readonly key: Digest; readonly bytes: number }
  /** The remote cache has it now; `bytes` is what it did not have before. */
  | { readonly type: 'stage.pushed'; readonly stage: string; readonly key: Digest; readonly bytes: number }
  /** The remote cache did not do what was asked; the run goes on without it. */
  | { readonly type: 'remote.trouble'; readonly text: string }
  /** Not started because something before it failed, its `when` does not hold, or the run was stopped. */
  | { readonly type: 'stage.skipped'; readonly stage: string; readonly because: string }
  /** What a stage has measured, once it is done or cached. */
  | {
      readonly type: 'metric'
      readonly stage: string
      readonly split: string
      readonly rows: number
      readonly ruler: string
      readonly values: Readonly<Record<string, number | null>>
    }
  /** One check of a gate, in the order of the file; the verdict with all that is known of each follows. */
  | ({ readonly type: 'gate.check'; readonly stage: string } & Pick<
      JudgedCheck,
      'text' | 'level' | 'outcome' | 'margin' | 'reason'
    >)
  | { readonly type: 'gate.verdict'; readonly stage: string; readonly verdict: Verdict }
  | { readonly type: 'run.done'; readonly exitCode: number; readonly durationMs: number }

/** An event with its place in the log and its time (ISO 8601). */
export type Logged = RunEvent & { readonly seq: number; readonly t: string }
