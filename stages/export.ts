/** `export`: hands a finished adapter, model or model card to a folder outside the cache; done on every run. */
import type { JsonObject } from '../dsl/stage-signature.ts'
import type { StageKind } from '../engine/stage-kind.ts'

const isFor =
  (...formats: readonly string[]) =>
  ({ format }: JsonObject): boolean =>
    typeof format === 'string' && formats.includes(format)

export const exporting: StageKind = {
  name: 'export',
  version: '1.0.0',
  summary: 'Writes an adapter, a merged model or only their model card into a folder of the project.',
  options: {
    type: 'object',
    additionalProperties: false,
    properties: {
      format: {
        enum: ['adapter', 'merged', 'card'],
        default: 'adapter',
        description:
          'What is written beside the model card: the adapter, the model that `merge` made, or nothing.',
      },
      to: {
        type: 'string',
        minLength: 1,
        description: 'The folder, from the project root; `out/NAME` with the name of the pipeline if absent.',
      },
    },
  },
  inputs: {
    adapter: { type: 'adapter', optional: true, help: 'The adapter to export, or to describe.' },
    model: {
      type: 'model',
      optional: true,
      only: isFor('merged', 'card'),
      help: 'The merged model to export, or the model to describe.',
    },
  },
  outputs: () => ({}),
  decides: 'export',
  steps: () => [],
}
