/** Who holds a lock or a staging folder, and whether that process still lives. */
import { existsSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'

export interface Owner {
  readonly pid: number
  /** Start of the process in clock ticks since boot; tells a process from a later one with the same number. */
  readonly start: string
  /** Differs after every boot. */
  readonly boot: string
  readonly host: string
  readonly since: string
}

export function thisProcess(): Owner {
  return {
    pid: process.pid,
    start: startOf(process.pid) ?? '',
    boot: bootId(),
    host: hostname(),
    since: new Date().toISOString(),
  }
}

/** Whether the owner still lives; an owner on another host counts as alive, since nothing here can tell. */
export function isAlive(owner: Owner): boolean {
  if (owner.host !== hostname()) return true
  if (owner.boot !== bootId()) return false
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return owner.start === '' || startOf(owner.pid) === owner.start
}

function bootId(): string {
  const file = '/proc/sys/kernel/random/boot_id'
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
}

/** Field 22 of /proc/<pid>/stat; the name in field 2 may hold spaces and brackets, so count from its end. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // A zombie is over: where nobody reaps (PID 1 of many containers) it would hold its lock for ever.
    return fields[0] === 'Z' ? null : (fields[19] ?? null)
  } catch {
    return null
  }
}
