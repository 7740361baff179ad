/** The contract that every stage kind fulfils, ours and a plugin's: data and pure functions. */
import type { JsonObject, StageSignature } from '../dsl/stage-signature.ts'

export interface StageKind extends StageSignature {
  /** The stage as ordered jobs. Pure: same options, same steps. Empty for gates, which are judged in-process. */
  readonly steps: (options: JsonObject) => readonly Step[]
  /** From the summary of its work: what it still waits for, in words; null once it has all it needs. */
  readonly waitsFor?: (summary: JsonObject) => string | null
}

export interface Step {
  /** The operation's name, the name of its entry in the worker's folder. */
  readonly op: string
  /** The worker: `kernel` is the one that the file names; `text`, `shell` and those of plugins are what they say. */
  readonly on: string
  readonly with: JsonObject
  /**
   * Role -> `input:<port>` of the stage, or `step:<op>.<output>` of an earlier step. `*: 'input:*'` hands on every port
   * that is wired, under its own name.
   */
  readonly inputs: Readonly<Record<string, string>>
  /** Output -> the stage's port that it becomes, or `null` for what only later steps read. */
  readonly outputs: Readonly<Record<string, string | null>>
}
