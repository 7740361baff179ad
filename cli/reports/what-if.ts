/** Checks that do not stand in the file, on the present metrics and on the past, in words. */
import type { JudgedCheck } from '../../dsl/judge.ts'
import type { Check } from '../../dsl/pipeline.ts'
import type { Rejudged } from '../looking-back.ts'
import type { Paint } from './style.ts'
import { pad } from './style.ts'
import { outcomeText } from './verdict.ts'

/** `would have blocked 3 of 20, incl. the one of 4 Nov 2026 (abc1234), which had passed`, and those three. */
export function historyText(
  title: string,
  checks: readonly Check[],
  rejudged: readonly Rejudged[],
  paint: Paint,
): string {
  const blocked = rejudged.filter(({ now }) => now.verdict !== 'pass')
  const head = `${paint('bold', title)}   ${summary(rejudged, blocked)}`
  const lines = blocked.map(({ past, was, now }) => {
    const word = now.verdict === 'fail' ? paint('red', 'FAIL     ') : paint('yellow', 'UNDECIDED')
    return `  ${past.commit}  ${past.at}  ${pad(`was ${was ?? 'not judged'}`, 14)}  ${word}  ${because(checks, now.checks)}`
  })
  return [head, ...(lines.length === 0 ? [] : ['', ...lines])].join('\n')
}

function summary(all: readonly Rejudged[], blocked: readonly Rejudged[]): string {
  if (all.length === 0) return 'no earlier run is in the git history of the lock file'
  const some = `${String(blocked.length)} of ${String(all.length)}`
  const [passed] = blocked.filter(({ was }) => was === 'pass')
  const undecided = blocked.filter(({ now }) => now.verdict === 'undecided').length
  const unsure = undecided === 0 ? '' : ` (${String(undecided)} of them undecided)`
  const named =
    passed === undefined
      ? ''
      : `, incl. the one of ${dayText(passed.past.at)} (${passed.past.commit}), which had passed`
  return `would have blocked ${some}${unsure}${named}`
}

function because(checks: readonly Check[], judged: readonly JudgedCheck[]): string {
  const at = judged.findIndex(({ level, outcome }) => level === 'require' && outcome !== 'pass')
  const check = judged[at]
  return check === undefined ? '' : `${check.text}: ${outcomeText(checks[at], check)}`
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `2026-11-04` as `4 Nov 2026`. */
export function dayText(day: string): string {
  const [year = '', month = '', date = ''] = day.split('-')
  return `${String(Number(date))} ${MONTHS[Number(month) - 1] ?? month} ${year}`
}
