/** Work before a run that Ctrl-C ends in good order. */

export async function interruptible<T>(act: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController()
  const interrupt = (signal: NodeJS.Signals) => stop.abort(new Interrupted(signal === 'SIGTERM' ? 143 : 130))
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  try {
    return await act(stop.signal)
  } catch (error) {
    throw stop.signal.aborted ? (stop.signal.reason as Interrupted) : error
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

/** Ctrl-C while something was fetched. */
export class Interrupted extends Error {
  readonly exitCode: number
  constructor(exitCode: number) {
    super('stopped; what was fetched is kept, and the next run goes on with it')
    this.exitCode = exitCode
  }
}
