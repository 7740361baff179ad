/** Somebody outside ends the run: Ctrl-C, or the polite kill of a CI job that is cancelled. */

/** Exit codes as shells have them: 128 and the number of the signal. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const

export type StopSignal = keyof typeof EXIT_CODES

/** Why a run's signal was aborted. */
export class Stopped extends Error {
  readonly exitCode: number
  constructor(signal: StopSignal) {
    super('stopped on request')
    this.exitCode = EXIT_CODES[signal]
  }
}

/** The exit code of a run that was stopped. */
export function exitCodeOfStop({ reason }: AbortSignal): number {
  return reason instanceof Stopped ? reason.exitCode : EXIT_CODES.SIGINT
}
