/** `sluice logs`: what a stage's workers printed in its last attempt, or print at this moment. */
import { existsSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { didYouMean } from '../../dsl/spelling.ts'
import { runIds } from '../../engine/run/log.ts'
import { Others } from '../../engine/run/others.ts'
import { Past } from '../../engine/run/past.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { compiledPipeline, oneStage, stringFlag } from '../project.ts'
import { Tail } from '../tail.ts'
import { toType } from '../to-type.ts'

const BETWEEN_LOOKS_MS = 200
const INTERRUPTED = 130

export async function logsCommand(command: Command, buildDir: string): Promise<number> {
  const [name, ...rest] = command.args
  if (name === undefined || rest.length > 0)
    throw new Usage('logs wants one stage\n  help: sluice logs lora-train', true)
  const { pipeline, environment, root, file } = await compiledPipeline(command, buildDir)
  const stage = oneStage(name, pipeline, didYouMean).name
  const decides = environment.kinds[oneStage(name, pipeline, didYouMean).uses]?.decides
  if (decides !== undefined) {
    const more = decides === 'gate' ? `: ${toType('gate', { root, file })} shows its verdict` : ''
    process.stderr.write(
      `${stage} is decided in the run itself, not by a worker, and prints nothing${more}\n`,
    )
    return 0
  }
  const print = printer(stringFlag(command, 'grep'))
  const { stateDir } = environment
  const run = command.flags['follow'] === true ? runUnderWay(stateDir, pipeline.name) : null
  if (run !== null) {
    return await follow({ stateDir, root, run, stage }, print)
  }
  if (command.flags['follow'] === true)
    process.stderr.write(`no run of ${pipeline.name} is under way; the last attempt:\n`)
  const start = new Past(stateDir, pipeline.name).lastStart(stage)
  const folder = start === null ? null : (attemptsIn(join(stateDir, 'runs', start.run, stage)).at(-1) ?? null)
  if (folder === null) {
    process.stderr.write(`${stage} has not run here yet\n`)
    return 0
  }
  process.stderr.write(`${relative(root, folder)}\n`)
  const log = join(folder, 'log')
  print(new Tail(log).read(), true)
  if (!existsSync(log)) process.stderr.write('nothing was printed\n')
  return 0
}

interface Followed {
  readonly stateDir: string
  readonly root: string
  readonly run: string
  readonly stage: string
}

/** Prints as it is written, one attempt after the other, until the stage or the run is over. */
async function follow({ stateDir, root, run, stage }: Followed, print: Print): Promise<number> {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  const others = new Others(stateDir)
  const events = new Tail(join(stateDir, 'runs', run, 'run.jsonl'))
  const logs = new Map<string, Tail>()
  for (;;) {
    // In this order, so that what was printed before the end is printed here, too.
    const isOver = !others.isUnderWay(run) || ends(events.lines(), stage)
    for (const folder of attemptsIn(join(stateDir, 'runs', run, stage))) {
      const known = logs.get(folder)
      if (known === undefined) process.stderr.write(`${relative(root, folder)}\n`)
      const log = known ?? new Tail(join(folder, 'log'))
      logs.set(folder, log)
      print(log.read(), isOver)
    }
    if (isOver) return 0
    await sleep(BETWEEN_LOOKS_MS, undefined, { signal: stop.signal }).catch(() => undefined)
    // Who follows has seen enough; the run goes on.
    if (stop.signal.aborted) return INTERRUPTED
  }
}

const ENDS = [
  'stage.done',
  'stage.failed',
  'stage.cached',
  'stage.paused',
  'stage.skipped',
  'gate.verdict',
  'stage.chosen',
]

function ends(lines: readonly string[], stage: string): boolean {
  return lines.some((line) => {
    const event = JSON.parse(line) as { readonly type: string; readonly stage?: string }
    return event.type === 'run.done' || (event.stage === stage && ENDS.includes(event.type))
  })
}

/** The newest run of a pipeline that still lives. */
function runUnderWay(stateDir: string, pipeline: string): string | null {
  const others = new Others(stateDir)
  return (
    runIds(stateDir).findLast((run) => {
      if (!others.isUnderWay(run)) return false
      const [first] = new Tail(join(stateDir, 'runs', run, 'run.jsonl')).lines()
      return (
        first !== undefined && (JSON.parse(first) as { readonly pipeline?: string }).pipeline === pipeline
      )
    }) ?? null
  )
}

/** The folders of a stage's attempts, oldest first. */
function attemptsIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => /^\d+$/.test(name))
    .sort((a, b) => Number(a) - Number(b))
    .map((name) => join(folder, name))
}

/** Takes what was written; at the `end` a line may be unfinished. */
type Print = (text: string, end: boolean) => void

/** All of it, or the lines that hold a text, in whatever case: `nan` finds `loss NaN`. */
function printer(wanted: string | null): Print {
  if (wanted === null) return (text) => void process.stdout.write(text)
  const small = wanted.toLowerCase()
  let rest = ''
  return (text, end) => {
    const lines = (rest + text).split('\n')
    rest = end ? '' : (lines.pop() ?? '')
    for (const line of lines) if (line.toLowerCase().includes(small)) process.stdout.write(`${line}\n`)
  }
}
