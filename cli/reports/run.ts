/** One run, when it is over or while it goes on: what became of each stage, and why. */
import type { RunState, StageState } from '../../engine/run/state.ts'
import { gateCalled } from '../../engine/run/fate.ts'
import { exportText } from './progress.ts'
import { whenText } from './runs.ts'
import type { Paint } from './style.ts'
import { duration, pad, width } from './style.ts'

export function runText(state: RunState, isUnderWay: boolean, now: Date, paint: Paint): string {
  const stages = [...state.stages.values()]
  const wide = Math.max(0, ...stages.map(({ name }) => width(name))) + 2
  const began = state.startedAt === null ? '' : `   ${whenText(new Date(state.startedAt).toISOString(), now)}`
  const took = state.durationMs === null ? '' : `   took ${duration(state.durationMs)}`
  const head = `run ${state.run ?? ''}   ${state.pipeline ?? ''}   ${endText(state, isUnderWay)}${began}${took}`
  return [
    head,
    '',
    ...stages.map((stage) => `  ${stageText(stage, wide, isUnderWay, paint)}`),
    ...state.troubles.map((text) => `  remote cache ${text}`),
  ].join('\n')
}

/** Exit codes as the README has them. */
const EXITS: Readonly<Record<number, string>> = {
  0: 'done',
  1: 'a stage failed',
  3: 'the gate failed',
  4: 'the gate is undecided',
  5: 'waits for people',
  6: 'the machine failed',
  130: 'interrupted',
  143: 'terminated',
}

function endText({ exitCode }: RunState, isUnderWay: boolean): string {
  if (exitCode === null) return isUnderWay ? 'under way' : 'was killed'
  const words = EXITS[exitCode]
  return `exit ${String(exitCode)}${words === undefined ? '' : ` (${words})`}`
}

function stageText(stage: StageState, wide: number, isUnderWay: boolean, paint: Paint): string {
  const name = pad(stage.name, wide)
  const key = stage.key === null ? '' : `   key ${stage.key.slice(7, 19)}`
  switch (stage.status) {
    case 'cached':
      return `${paint('green', '✓')} ${name}cached${stage.from === null ? '' : ` (${stage.from})`}${key}`
    case 'done':
      return `${paint('green', '✓')} ${name}ran ${duration(stage.durationMs ?? 0)}${because(stage)}${key}`
    case 'chosen':
      return `${paint('green', '✓')} ${name}chose ${chosenIn(stage)}${key}`
    case 'exported':
      return `${paint('green', '✓')} ${name}${exportText(stage.summary)}`
    case 'judged':
      return `${paint('cyan', '◆')} ${name}${verdictWord(stage)}`
    case 'failed':
      return `${paint('red', '✗')} ${name}failed: ${stage.failure?.message ?? ''}`
    case 'paused':
      return `${paint('yellow', '‖')} ${name}waits for people: ${stage.waitsFor ?? ''}`
    case 'skipped':
      return `${paint('dim', '○')} ${name}left out: ${stage.skippedBecause ?? ''}`
    case 'waiting':
    case 'running':
      return isUnderWay
        ? `${paint('yellow', '●')} ${name}${stage.status}${because(stage)}`
        : `${paint('dim', '○')} ${name}${stage.startedAt === null ? 'not reached' : 'cut off'}`
  }
}

function chosenIn({ summary: { chosen } }: StageState): string {
  return typeof chosen === 'string' ? chosen : 'a trial'
}

function because({ reason }: StageState): string {
  return reason === null || reason === '' ? '' : ` because: ${reason}`
}

function verdictWord({ name, verdict }: StageState): string {
  const words = { pass: 'passed', fail: 'failed', undecided: 'was undecided' }
  return verdict === null ? '' : `${gateCalled(name)} ${words[verdict.verdict]}`
}
