/** What a run had of the remote cache, for its last line. */
import type { RunState } from '../../engine/run/state.ts'
import { bytes } from './style.ts'

/** `, 3 pulled (96.1 MB), 1 pushed (7.8 MB); remote cache s3://team: 403; not asked again`; empty without a remote. */
export function remoteText({ stages, troubles }: RunState): string {
  const all = [...stages.values()]
  const pulled = all.flatMap(({ pulledBytes }) => pulledBytes ?? [])
  const pushed = all.flatMap(({ pushedBytes }) => pushedBytes ?? [])
  const sum = (sizes: readonly number[]) => bytes(sizes.reduce((total, size) => total + size, 0))
  const counts = [
    ...(pulled.length === 0 ? [] : [`, ${String(pulled.length)} pulled (${sum(pulled)})`]),
    ...(pushed.length === 0 ? [] : [`, ${String(pushed.length)} pushed (${sum(pushed)})`]),
  ]
  return [...counts, ...troubles.map((text) => `; remote cache ${text}`)].join('')
}
