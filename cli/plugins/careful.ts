/** A plugin's stage kind whose answers are looked at before anybody relies on them; what is wrong throws in words. */
import { own } from '../../dsl/own.ts'
import { ARTIFACT_TYPES } from '../../dsl/stage-signature.ts'
import type { ArtifactType, JsonObject, MetricSchema } from '../../dsl/stage-signature.ts'
import type { StageKind, Step } from '../../engine/stage-kind.ts'

/** What a step of a plugin writes for the plugin's own worker. */
const OWN_WORKER = 'plugin'

/** @param hasOp whether one of Sluice's own workers knows the op */
export function careful(
  kind: StageKind,
  worker: string | null,
  hasOp: (on: string, op: string) => boolean,
): StageKind {
  const { measures } = kind
  const steps = (options: JsonObject): readonly Step[] =>
    kind
      .steps(structuredClone(options))
      .map((step) => (step.on === OWN_WORKER && worker !== null ? { ...step, on: worker } : step))
  return {
    ...kind,
    outputs: (options) => {
      const outputs = kind.outputs(structuredClone(options))
      checkOutputs(outputs)
      const found = steps(options)
      for (const [i, step] of found.entries())
        checkStep(step, found.slice(0, i), { kind, outputs, worker, hasOp })
      const filled = found.flatMap((step) => Object.values(step.outputs))
      const empty = Object.keys(outputs).find((port) => !filled.includes(port))
      if (empty !== undefined) throw new Error(`no step of steps() fills the output '${empty}'`)
      return outputs
    },
    ...(measures === undefined
      ? {}
      : {
          measures: (options: JsonObject) => {
            const metrics = measures(structuredClone(options))
            for (const [name, metric] of Object.entries(metrics)) checkMetric(name, metric)
            return metrics
          },
        }),
    steps,
  }
}

function checkOutputs(outputs: Readonly<Record<string, ArtifactType>>): void {
  for (const [port, type] of Object.entries(outputs))
    if (!ARTIFACT_TYPES.includes(type) || type === 'verdict')
      throw new Error(`the output '${port}' is of the type '${type}'; types: ${ARTIFACT_TYPES.join(' ')}`)
}

interface Around {
  readonly kind: StageKind
  readonly outputs: Readonly<Record<string, ArtifactType>>
  readonly worker: string | null
  readonly hasOp: (on: string, op: string) => boolean
}

function checkStep(step: Step, before: readonly Step[], { kind, outputs, worker, hasOp }: Around): void {
  const { op, on } = step
  if (on === OWN_WORKER)
    throw new Error(`the step '${op}' is for the plugin's worker, but there is no \`worker\` export`)
  if (on !== worker && !hasOp(on, op)) throw new Error(`no worker '${on}' has an op '${op}'`)
  const made = before.flatMap((each) =>
    Object.keys(each.outputs).map((output) => `step:${each.op}.${output}`),
  )
  for (const from of Object.values(step.inputs)) {
    const port = /^input:(.*)$/.exec(from)?.[1]
    const known =
      port === undefined ? made.includes(from) : port === '*' || own(kind.inputs, port) !== undefined
    if (!known) throw new Error(`the step '${op}' reads '${from}', which is no port and no earlier output`)
  }
  for (const port of Object.values(step.outputs))
    if (port !== null && own(outputs, port) === undefined)
      throw new Error(`the step '${op}' fills '${port}', which outputs() does not name`)
}

function checkMetric(name: string, metric: MetricSchema): void {
  const { direction, min, max, dim, perExample, title } = metric
  const bound = (value: unknown): boolean => value === null || typeof value === 'number'
  const titled = typeof title === 'object' && typeof title.en === 'string' && typeof title.zh === 'string'
  const sound =
    ['higher', 'lower'].includes(direction) &&
    ['num', 's', 'B'].includes(dim) &&
    bound(min) &&
    bound(max) &&
    typeof perExample === 'boolean' &&
    titled
  if (!sound)
    throw new Error(`the metric '${name}' should be {direction, min, max, dim, perExample, title: {en, zh}}`)
}
