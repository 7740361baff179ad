/** Who works in the state folder, and whether that process still lives. */
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

export interface Owner {
  readonly pid: number
  /** Start of the process in clock ticks since boot; tells a process from a later one with the same number. */
  readonly start: string
  /** Host, boot and process namespace: a process number says something only within all three. */
  readonly place: string
  readonly host: string
  /** Id of the run. */
  readonly run: string
  /** As it was typed. */
  readonly command: string
  readonly since: string
}

export function thisProcess(run: string, command: string): Owner {
  const start = startOf(process.pid) ?? ''
  return {
    pid: process.pid,
    start,
    place: thisPlace(),
    host: hostname(),
    run,
    command,
    since: new Date().toISOString(),
  }
}

/** `elsewhere` is another host, another container or before the last boot: no process number tells. */
export type Standing = 'alive' | 'dead' | 'elsewhere'

export function standingOf(owner: Owner): Standing {
  if (owner.place !== thisPlace()) return 'elsewhere'
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? 'alive' : 'dead'
  }
  return owner.start === '' || startOf(owner.pid) === owner.start ? 'alive' : 'dead'
}

/** `process 7 on gpubox since 2026-11-25T19:03:22Z (sluice run)`. */
export function ownerWords({ pid, host, since, command }: Owner): string {
  return `process ${String(pid)} on ${host} since ${since.slice(0, 19)}Z (${command})`
}

export function ownerIn(path: string): Owner | null {
  try {
    const owner = JSON.parse(readFileSync(path, 'utf8')) as Owner | null
    return typeof owner?.pid === 'number' ? owner : null
  } catch (error) {
    // Gone meanwhile, or torn when the machine lost power: either way it names nobody.
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

let place: string | null = null

function thisPlace(): string {
  place ??= [hostname(), read('/proc/sys/kernel/random/boot_id'), namespace()].join(' ')
  return place
}

function namespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    // Want of files says nothing of a process.
    if (['EMFILE', 'ENFILE'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    return ''
  }
}

/** Field 22 of /proc/<pid>/stat; the name in field 2 may hold spaces and brackets, so count from its end. */
function startOf(pid: number): string | null {
  const stat = read(`/proc/${String(pid)}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // A zombie is over: where nobody reaps (PID 1 of many containers) it would hold its lock for ever.
  return fields[0] === 'Z' ? null : (fields[19] ?? null)
}
