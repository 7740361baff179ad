/** Whether a worker that is gone died for want of memory, as far as anybody can tell. */
import { readFileSync } from 'node:fs'

/** How often the kernel has killed a process for memory since it started; null where it does not say. */
export function oomKills(): number | null {
  try {
    return oomKillsIn(readFileSync('/proc/vmstat', 'utf8'))
  } catch {
    return null
  }
}

export function oomKillsIn(vmstat: string): number | null {
  const count = /^oom_kill (\d+)$/m.exec(vmstat)?.[1]
  return count === undefined ? null : Number(count)
}

/** V8 prints so before it aborts. */
const HEAP_FULL = /JavaScript heap out of memory|Reached heap limit/

export interface Death {
  readonly signal: string | null
  /** The end of what it printed. */
  readonly tail: string
  /** The kernel's count when the job began, and now. */
  readonly killsBefore: number | null
  readonly killsNow: number | null
}

/** What to say; null if the worker may have died of anything. KILL alone proves nothing: people send it, too. */
export function memoryDeath({ signal, tail, killsBefore, killsNow }: Death): string | null {
  if (HEAP_FULL.test(tail)) return 'the worker ran out of memory (the heap of JavaScript)'
  const killed = signal === 'SIGKILL' && killsBefore !== null && killsNow !== null && killsNow > killsBefore
  return killed ? 'the kernel killed the worker because memory ran out' : null
}
