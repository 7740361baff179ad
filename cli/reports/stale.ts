/** In what a lock and a pipeline file differ, in words: one line a difference. */
import type { Stale } from '../../engine/lock/stale.ts'
import { reasonText } from './plan.ts'
import { pad, width } from './style.ts'

export function staleText(stale: readonly Stale[]): string {
  const wide = Math.max(0, ...stale.map(({ stage }) => width(stage))) + 2
  return stale
    .flatMap((each) => wordsOf(each).map((words) => `  ${pad(each.stage, wide)}${words}`.trimEnd()))
    .join('\n')
}

function wordsOf(stale: Stale): readonly string[] {
  switch (stale.type) {
    case 'not-locked':
      return ['is not in the lock']
    case 'not-in-file':
      return ['is in the lock, but no longer in the file']
    case 'not-judged':
      return ['has no verdict in the lock']
    case 'wiring':
      return [`${stale.port} was wired to ${stale.before ?? 'nothing'}, now to ${stale.after ?? 'nothing'}`]
    case 'no-input':
      return [`${stale.port} comes from ${stale.from}, which is not in the lock`]
    case 'changed':
      return stale.reasons.length === 0
        ? ['its key does not belong to the facts beside it: the lock was edited by hand']
        : stale.reasons.map(reasonText)
  }
}
