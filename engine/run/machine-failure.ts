/** What the machine did to us, or that we were stopped, in words. */
import { HubTrouble } from '../hub/trouble.ts'
import type { FailureCause } from './events.ts'

/** Why a run stops what is running when it stops at the first failure. */
export class FirstFailure extends Error {
  constructor(stage: string) {
    super(`stopped because ${stage} failed`)
  }
}

/** The machine failed us, or we were stopped: in words. */
export function machineFailure(
  error: unknown,
  signal: AbortSignal,
  clock: { readonly signal: AbortSignal; readonly words: string } | null = null,
): { cause: FailureCause; message: string; help: string | null } {
  if (signal.aborted) {
    const message = signal.reason instanceof FirstFailure ? signal.reason.message : 'stopped on request'
    return { cause: 'cancelled', message, help: null }
  }
  if (clock?.signal.aborted) return { cause: 'timeout', message: clock.words, help: null }
  if (error instanceof HubTrouble) return { cause: 'resources', message: error.message, help: error.help }
  const { code, path, message, stack } = error as NodeJS.ErrnoException
  const where = path === undefined ? '' : ` (${path})`
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return {
      cause: 'resources',
      message: `the disk is full${where}`,
      help: 'free some space and run again; finished stages are kept',
    }
  }
  if (code === 'ENOMEM') return { cause: 'memory', message: `memory ran out${where}`, help: null }
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') {
    return {
      cause: 'resources',
      message: `the state folder cannot be written${where}`,
      help: 'check its owner and whether the disk is mounted read-only',
    }
  }
  if (code === 'ENOTDIR' || code === 'EEXIST' || code === 'EISDIR') {
    return {
      cause: 'resources',
      message: `something else stands where the state folder needs a file or folder${where}`,
      help: 'remove it and run again',
    }
  }
  if (code === 'EMFILE' || code === 'ENFILE') {
    return { cause: 'resources', message: 'too many open files', help: 'raise the limit: ulimit -n 4096' }
  }
  return { cause: 'bug', message, help: stack ?? null }
}
