/** What a run would download before it starts, as far as that is known without asking. */
import { hubAddress } from '../dsl/hub-address.ts'
import type { Planned } from '../engine/plan/plan.ts'
import type { Opened } from './project.ts'
import { bytes } from './reports/style.ts'

export interface Download {
  readonly source: string
  readonly from: string
  /** Null while nobody has asked the hub; what it holds then is the run's first question. */
  readonly commit: string | null
  readonly bytes: number | null
}

export function downloadsOf({ pipeline, sources }: Opened, planned: readonly Planned[]): readonly Download[] {
  const read = new Set(
    planned
      .flatMap((entry) => (entry.type === 'run' ? Object.values(entry.stage.inputs) : []))
      .flatMap((from) => (from.type === 'source' ? [from.source] : [])),
  )
  return Object.values(pipeline.sources).flatMap(({ name, from }) => {
    const hub = sources[name]?.hub
    if (!read.has(name) || typeof from !== 'string' || hubAddress(from) === null || hub?.isHere() === true)
      return []
    const commit = hub?.origin['commit']
    const known = typeof commit === 'string' ? commit : null
    return [{ source: name, from, commit: known, bytes: hub?.bytes ?? null }]
  })
}

export function downloadText({ source, from, commit, bytes: size }: Download): string {
  const what =
    commit === null
      ? `${from}: run asks the hub what it holds, then downloads it`
      : `${from} at ${commit.slice(0, 8)}: ${size === null ? 'size unknown' : bytes(size)} to download`
  return `  ↓ ${source}  ${what}`
}
