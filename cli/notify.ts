/** Tells whom the file's `notify:` names how a run ended; a notification that fails is a warning, never a failed run. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Notification, NotifyEvent } from '../dsl/pipeline.ts'
import type { RunOutcome } from '../engine/run/run.ts'

const PATIENCE_MS = 10_000

/** Events of a finished run. */
export function eventsOf({
  exitCode,
  verdicts,
  state,
}: Pick<RunOutcome, 'exitCode' | 'verdicts' | 'state'>): readonly NotifyEvent[] {
  const events = new Set<NotifyEvent>()
  if (exitCode === 1 || exitCode === 6) events.add('run.failed')
  if ([...state.stages.values()].some(({ status }) => status === 'paused')) events.add('waiting')
  for (const { verdict } of verdicts.values())
    events.add(verdict === 'pass' ? 'gate.passed' : verdict === 'fail' ? 'gate.failed' : 'gate.undecided')
  return [...events]
}

/** `message` is what is sent: one JSON object, with `text` for chat systems. Returns what went wrong, in words. */
export async function notify(
  notifications: readonly Notification[],
  events: readonly NotifyEvent[],
  message: Readonly<Record<string, unknown>>,
  env: NodeJS.ProcessEnv,
): Promise<readonly string[]> {
  const problems: string[] = []
  for (const { on, to } of notifications) {
    const due = events.filter((event) => on.includes(event))
    if (due.length === 0) continue
    const body = JSON.stringify({ ...message, events: due })
    const wrong =
      to.type === 'webhook' ? await post(to.address, body, env) : await tell(to.command, body, env)
    if (wrong !== null) problems.push(wrong)
  }
  return problems
}

async function post(address: string, body: string, env: NodeJS.ProcessEnv): Promise<string | null> {
  const variable = /^env:(.+)$/.exec(address)?.[1]
  const url = variable === undefined ? address : env[variable]
  if (url === undefined || url === '') return `notify: ${variable ?? address} is not set, nobody was told`
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      signal: AbortSignal.timeout(PATIENCE_MS),
    })
    // The address may be a secret: only its variable is named.
    return answer.ok ? null : `notify: ${variable ?? 'the webhook'} answered ${String(answer.status)}`
  } catch (error) {
    const { cause, message } = error as Error
    return `notify: ${variable ?? 'the webhook'} could not be reached (${cause instanceof Error ? cause.message : message})`
  }
}

/** The command gets the message on its standard input. */
async function tell(command: string, body: string, env: NodeJS.ProcessEnv): Promise<string | null> {
  const child = spawn('/bin/sh', ['-c', command], {
    env: { ...env, SLUICE_EVENT: body },
    stdio: ['pipe', 'ignore', 'ignore'],
    timeout: PATIENCE_MS,
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(body)
  const [code] = (await once(child, 'close')) as [number | null]
  return code === 0
    ? null
    : `notify: '${command}' ended with ${code === null ? 'a signal' : `exit code ${String(code)}`}`
}
