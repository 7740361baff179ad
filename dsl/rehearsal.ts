/** `run --smoke`: the same graph with options that carry every stage through its motions in seconds. */
import { own } from './own.ts'
import type { PipelineSource, Reference, Stage } from './pipeline.ts'
import type { StageSignature } from './stage-signature.ts'

/** The stage kind that makes a tiny model with a model's architecture and tokenizer. */
const SHRINK = 'shrink'

/** Models that come from outside are replaced by tiny ones; those made in the pipeline are made tiny there. */
export function rehearsal(
  stages: readonly Stage[],
  sources: readonly PipelineSource[],
  kinds: Readonly<Record<string, StageSignature>>,
): readonly Stage[] {
  const kind = own(kinds, SHRINK)
  const models = kind === undefined ? [] : sources.filter(({ type }) => type === 'model')
  const shrunk = new Map(models.map((source) => [source.name, `${SHRINK}-${source.name}`]))
  const [template] = stages
  if (template === undefined) return stages
  const makers = models.map(({ name, span }): Stage => ({
    ...template,
    name: shrunk.get(name) ?? name,
    base: shrunk.get(name) ?? name,
    point: {},
    sweep: null,
    uses: SHRINK,
    with: { seed: 42 },
    optionSpans: {},
    inputs: { model: { type: 'source', source: name } },
    after: [],
    outputs: { model: 'model' },
    cache: 'auto',
    also: [],
    retry: null,
    resources: {},
    mutex: [],
    worker: null,
    when: null,
    watch: [],
    span,
    synthesised: true,
    gate: null,
    selection: null,
  }))
  const instead = (from: Reference): Reference => {
    const maker = from.type === 'source' ? shrunk.get(from.source) : undefined
    return maker === undefined ? from : { type: 'stage', stage: maker, port: 'model' }
  }
  return [
    ...makers,
    ...stages.map((stage): Stage => {
      const smoke = own(kinds, stage.uses)?.smoke
      return {
        ...stage,
        with: smoke === undefined ? stage.with : smoke(stage.with),
        inputs: Object.fromEntries(
          Object.entries(stage.inputs)
            .filter(([port, from]) => !isForeignStart(own(kinds, stage.uses), port, from))
            .map(([port, from]) => [port, instead(from)]),
        ),
        // What the real run needs, such as a GPU, a rehearsal does without.
        resources: {},
        // An untrained trial reaches no bar: whoever is best among them walks on, so that what follows is rehearsed too.
        selection: stage.selection === null ? null : { ...stage.selection, where: null },
      }
    }),
  ]
}

/** Weights from outside, to start from, are of the real model's shape: a rehearsal starts without them. */
function isForeignStart(kind: StageSignature | undefined, port: string, from: Reference): boolean {
  const input = kind === undefined ? undefined : own(kind.inputs, port)
  return from.type === 'source' && input?.named === true && ['model', 'adapter'].includes(input.type)
}
