/** Where main's numbers come from, in words. */
import type { Facts } from '../../engine/lock-file.ts'
import type { Main } from '../baseline.ts'
import type { Paint } from './style.ts'
import { number, pad } from './style.ts'

export interface StoredArtifact {
  /** `lora-train.adapter`. */
  readonly made: string
  readonly tree: string
  readonly here: boolean
}

export interface BaselineFacts {
  readonly pipeline: string
  readonly main: Main
  readonly blessingPath: string
  readonly blessingStands: boolean
  /** `ruler` is the present one, where the stage has been measured here. */
  readonly scores: readonly {
    readonly stage: string
    readonly facts: Facts | null
    readonly ruler: string | null
  }[]
  readonly artifacts: readonly StoredArtifact[]
  readonly now: Date
}

export function baselineText(facts: BaselineFacts, paint: Paint): string {
  const { main } = facts
  const lines = [
    `${facts.pipeline}   main is ${paint('bold', main.lock === null ? 'nothing' : main.origin)}`,
    '',
  ]
  if (main.git.type === 'passing') {
    const { commit, at, ref, run } = main.git.passing
    lines.push(
      `  from     ${ref}, commit ${commit} of ${at} (${ageText(at, facts.now)})${run === null ? '' : `, run ${run}`}`,
    )
  } else lines.push(`  from     ${main.git.why}`, `  help:    ${main.git.help}`)
  if (main.blessing !== null) {
    const { how, of, why } = main.blessing
    const words = how === 'set' ? `set to ${of}` : `${of} measured again`
    lines.push(
      `  file     ${facts.blessingPath}: ${words}${why === null ? '' : ` (${why})`}${facts.blessingStands ? '' : `; ${paint('yellow', 'it no longer counts')}: the default branch has moved on since, delete it`}`,
    )
  }
  for (const { stage, facts: known, ruler } of facts.scores) {
    if (known === null) {
      if (main.lock !== null) lines.push(`  ${pad(stage, 8)} ${paint('yellow', 'not measured there')}`)
      continue
    }
    const { ruler: measured, rows, ...values } = known
    const list = Object.entries(values).map(
      ([name, value]) => `${name} ${number(typeof value === 'number' ? value : null)}`,
    )
    lines.push(
      `  ${pad(stage, 8)} ${list.join(', ')}, on ${typeof rows === 'number' ? String(rows) : '?'} rows`,
      `           ${rulerText(typeof measured === 'string' ? measured : '', ruler, paint)}`,
    )
  }
  for (const { made, tree, here } of facts.artifacts)
    lines.push(
      `  ${pad('store', 8)} ${made} ${tree.slice(0, 19)} ${here ? 'is here' : paint('yellow', 'is not here: sluice baseline rescore would need it')}`,
    )
  return lines.join('\n')
}

function rulerText(measured: string, present: string | null, paint: Paint): string {
  const ruler = `ruler ${measured.slice(0, 8)}`
  if (present === null) return `${ruler}; this file has not been measured here yet: sluice run`
  if (present === measured) return `${ruler}, the same as here`
  return `${ruler}, ${paint('yellow', `here it is ${present.slice(0, 8)}`)}: other rows or settings, so nothing is compared; sluice baseline rescore`
}

const DAY_MS = 86_400_000

/** `today`, `6 days ago`. */
export function ageText(day: string, now: Date): string {
  const days = Math.floor((now.getTime() - Date.parse(`${day}T00:00:00Z`)) / DAY_MS)
  if (Number.isNaN(days) || days < 1) return 'today'
  return days === 1 ? 'yesterday' : `${String(days)} days ago`
}
