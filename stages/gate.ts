/** `gate`: lets a result pass or stops it; it has no job, because it is judged on every run. */
import type { StageKind } from '../engine/stage-kind.ts'

export const gate: StageKind = {
  name: 'gate',
  version: '1.0.0',
  summary: 'Judges measured metrics by the checks that the pipeline file states.',
  options: { type: 'object', additionalProperties: false, properties: {} },
  inputs: { metrics: { type: 'metrics', help: 'The metrics to judge.' } },
  outputs: () => ({ verdict: 'verdict' }),
  decides: 'gate',
  steps: () => [],
}
