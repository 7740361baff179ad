/** How a worker's process ended, or why it never began -> words that anybody understands. */

/** What starting a process throws or answers. */
export interface Ending {
  /** Of the system call that should have started it, such as ENOENT. */
  readonly code?: string | undefined
  readonly signal?: string | undefined
  readonly exitCode?: number | undefined
}

export function endingText(program: string, { code, signal, exitCode }: Ending): string {
  if (signal !== undefined) return `ended with ${signal}`
  if (exitCode !== undefined) return `ended with exit code ${String(exitCode)}`
  if (code === 'ENOENT') return `cannot start: there is no program ${program} on this machine`
  // A folder of PATH that may not be searched gives EACCES, too.
  if (code === 'EACCES')
    return program.includes('/')
      ? `cannot start: ${program} may not be executed`
      : `cannot start: there is no program ${program} on this machine that may be executed`
  return `cannot start ${program}${code === undefined ? '' : ` (${code})`}`
}

const MOST_SHOWN = 300

/** How Python, and Node above its stack, say what was thrown. */
const THROWN = /^[\w.]*(Error|Exception)\b/

/** The line that says most of why a process ended: what it threw, else the last that it printed. */
export function lastLine(printed: string): string | null {
  const lines = printed
    .split('\n')
    .map((each) => each.trimEnd())
    .filter((each) => each !== '')
  const line = lines.findLast((each) => THROWN.test(each)) ?? lines.at(-1)
  if (line === undefined) return null
  return line.length > MOST_SHOWN ? `${line.slice(0, MOST_SHOWN - 1)}…` : line
}
