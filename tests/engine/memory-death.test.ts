/** A worker that is gone: when it may be said that memory ran out. */
import { expect, test } from 'vitest'
import { memoryDeath, oomKills, oomKillsIn } from '../../engine/worker/memory-death.ts'

test('the kernel says how often it has killed', () => {
  expect(oomKillsIn('pgmajfault 3\noom_kill 12\nswap_ra 0\n')).toBe(12)
  expect(oomKillsIn('pgmajfault 3\n')).toBeNull()
  const here = oomKills()
  expect(here === null || here >= 0).toBe(true)
})

test.each([
  ['KILL while the kernel killed', { signal: 'SIGKILL', killsBefore: 3, killsNow: 4 }, /the kernel killed/],
  ['KILL by somebody', { signal: 'SIGKILL', killsBefore: 3, killsNow: 3 }, null],
  ['KILL where nobody counts', { signal: 'SIGKILL', killsBefore: null, killsNow: null }, null],
  ['another signal meanwhile', { signal: 'SIGSEGV', killsBefore: 3, killsNow: 4 }, null],
  ['a full heap', { signal: 'SIGABRT', tail: 'FATAL ERROR: Reached heap limit Allocation failed' }, /heap/],
] as const)('%s', (_, death, words) => {
  const said = memoryDeath({ tail: '', killsBefore: null, killsNow: null, ...death })
  if (words === null) expect(said).toBeNull()
  else expect(said).toMatch(words)
})
