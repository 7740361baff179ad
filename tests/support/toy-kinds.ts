/** Stage kinds for tests of the engine: one job that a puppet does, two jobs in a row, a measurer, a gate. */
import type { JsonObject } from '../../dsl/stage-signature.ts'
import type { StageKind, Step } from '../../engine/stage-kind.ts'

const port = (type: 'dataset' | 'metrics') => ({ type, optional: true, help: '' })

function kind(name: string, parts: Partial<StageKind> & Pick<StageKind, 'steps' | 'outputs'>): StageKind {
  return {
    name,
    version: '1.0.0',
    summary: '',
    options: { type: 'object' },
    inputs: { a: port('dataset'), b: port('dataset') },
    ...parts,
  }
}

function act(options: JsonObject, outputs: Step['outputs'], more: Partial<Step> = {}): Step {
  return { op: 'act', on: 'text', with: options, inputs: { a: 'input:a', b: 'input:b' }, outputs, ...more }
}

export const toyKinds: Readonly<Record<string, StageKind>> = {
  toy: kind('toy', {
    outputs: () => ({ out: 'dataset' }),
    steps: (options) => [act(options, { out: 'out' })],
  }),
  twice: kind('twice', {
    outputs: () => ({ out: 'dataset' }),
    steps: (options) => [
      act(options, { middle: null }),
      act(
        { copy: true },
        { out: 'out' },
        { op: 'again', on: 'kernel', inputs: { middle: 'step:act.middle' } },
      ),
    ],
  }),
  measure: kind('measure', {
    outputs: () => ({ scores: 'metrics' }),
    steps: (options) => [act(options, { scores: 'scores' })],
  }),
  ask: kind('ask', {
    outputs: () => ({ scores: 'metrics' }),
    steps: (options) => [act(options, { scores: 'scores' })],
    waitsFor: ({ waits }) => (typeof waits === 'string' ? waits : null),
  }),
  choice: kind('choice', {
    decides: 'select',
    inputs: { metrics: { ...port('metrics'), many: true }, adapter: { ...port('dataset'), many: true } },
    outputs: () => ({ adapter: 'dataset', metrics: 'metrics' }),
    steps: () => [],
  }),
  gate: kind('gate', {
    decides: 'gate',
    inputs: { metrics: port('metrics') },
    outputs: () => ({}),
    steps: () => [],
  }),
}
