/** What a stage has measured, as an event: for who follows a run and reads no artifacts. */
import type { Stage } from '../../dsl/pipeline.ts'
import type { BlobStore } from '../store/blobs.ts'
import type { Result } from '../store/results.ts'
import type { RunEvent } from './events.ts'
import { metricsPort, readMetrics } from './gate.ts'
import type { MetricsFile } from './gate.ts'

/** Null of a stage that does not measure. A file that cannot be read is for the gate to complain of. */
export function measuredEvent(stage: Stage, result: Result, blobs: BlobStore): RunEvent | null {
  const port = metricsPort(stage)
  const artifact = port === null ? undefined : result.outputs[port]
  const file = artifact === undefined ? null : fileOf(artifact, blobs)
  if (file === null) return null
  const values = Object.entries(file.metrics).map(([name, { value }]) => [name, value] as const)
  const { split, rows, ruler } = file
  return { type: 'metric', stage: stage.name, split, rows, ruler, values: Object.fromEntries(values) }
}

function fileOf(artifact: Result['outputs'][string], blobs: BlobStore): MetricsFile | null {
  try {
    const read = readMetrics(artifact, blobs)
    return 'missing' in read ? null : read
  } catch {
    return null
  }
}
