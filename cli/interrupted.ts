/** Work before a run that Ctrl-C ends in good order. */

export async function interruptible<T>(act: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController()
  const interrupt = () => stop.abort(new Interrupted())
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  try {
    return await act(stop.signal)
  } catch (error) {
    throw stop.signal.aborted ? new Interrupted() : error
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

/** Ctrl-C while something was fetched. */
export class Interrupted extends Error {
  constructor() {
    super('stopped; what was fetched is kept, and the next run goes on with it')
  }
}
