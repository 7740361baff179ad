/** What the world knows of a pipeline, as far as an editor shows it; gathered by `cli/`. */

export interface Scores {
  /** What the values mean: rows, split and settings. */
  readonly ruler: string | null
  readonly values: Readonly<Record<string, number | null>>
}

export interface StageFact {
  /** `done`, `cached`, `failed`, …, or a gate's verdict. */
  readonly status: string
  /** ISO 8601; null where it did not start. */
  readonly startedAt: string | null
  readonly durationMs: number | null
}

export interface Facts {
  /** Stage -> what it measured, from the lock file. */
  readonly scores: Readonly<Record<string, Scores>>
  /** Stage, or instance of a swept stage -> what became of it in the newest run here. */
  readonly states: Readonly<Record<string, StageFact>>
}

export const NO_FACTS: Facts = { scores: {}, states: {} }
