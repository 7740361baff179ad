/** `shell`: any command of yours as a stage, with its inputs, outputs and environment stated. */
import { ARTIFACT_TYPES } from '../dsl/stage-signature.ts'
import type { ArtifactType, JsonObject, MetricSchema } from '../dsl/stage-signature.ts'
import type { StageKind } from '../engine/stage-kind.ts'

/** A gate gives the only verdicts. */
const OUTPUT_TYPES = ARTIFACT_TYPES.filter((type) => type !== 'verdict')
const VARIABLE = '^(?!SLUICE_)[A-Za-z_][A-Za-z0-9_]*$'

function mapOf(options: JsonObject, name: string): JsonObject {
  const value = options[name]
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {}
}

/** A command that measures writes `metrics.json` to the port `metrics`, whether that is spelt out or not. */
function outputs(options: JsonObject): Readonly<Record<string, ArtifactType>> {
  const declared = Object.entries(mapOf(options, 'outputs')) as [string, ArtifactType][]
  const measured: [string, ArtifactType][] =
    Object.keys(mapOf(options, 'measures')).length === 0 ? [] : [['metrics', 'metrics']]
  return Object.fromEntries([...declared, ...measured])
}

function measures(options: JsonObject): Readonly<Record<string, MetricSchema>> {
  return Object.fromEntries(
    Object.entries(mapOf(options, 'measures')).map(([name, direction]): [string, MetricSchema] => [
      name,
      {
        direction: direction === 'lower' ? 'lower' : 'higher',
        min: null,
        max: null,
        dim: 'num',
        perExample: false,
        title: { en: name, zh: name },
      },
    ]),
  )
}

export const shell: StageKind = {
  name: 'shell',
  version: '1.0.0',
  summary: 'Runs a command of yours; what it reads, writes and measures is stated, and so it is cached.',
  options: {
    type: 'object',
    additionalProperties: false,
    required: ['run'],
    properties: {
      run: {
        type: 'string',
        pattern: '\\S',
        description:
          'The command, for `sh -eu` in the project folder. It finds $SLUICE_INPUT_NAME, $SLUICE_FILES_NAME and $SLUICE_OUTPUT_NAME.',
      },
      outputs: {
        type: 'object',
        propertyNames: { pattern: '^[a-z][a-z0-9]*(-[a-z0-9]+)*$' },
        additionalProperties: { enum: OUTPUT_TYPES },
        default: {},
        description: 'What the command writes, name: type. Each is a folder, $SLUICE_OUTPUT_NAME.',
      },
      env: {
        type: 'object',
        propertyNames: { pattern: VARIABLE },
        additionalProperties: { type: ['string', 'number', 'boolean'] },
        default: {},
        description: 'Environment variables of the command, NAME: value; another value, another result.',
      },
      pass: {
        type: 'array',
        uniqueItems: true,
        items: { type: 'string', pattern: VARIABLE },
        default: [],
        description:
          'Variables of your own environment to hand on, such as HF_TOKEN; their values decide no result and are not kept.',
      },
      measures: {
        type: 'object',
        propertyNames: { pattern: '^[a-z][a-z0-9_]*$' },
        additionalProperties: { enum: ['higher', 'lower'] },
        default: {},
        description:
          'What it measures, name: which way is better. It writes {"name": value} to $SLUICE_OUTPUT_METRICS/metrics.json.',
      },
    },
  },
  inputs: {},
  freeInputs: 'Anything that a stage makes or a source holds, under a name of your choice.',
  outputs,
  measures,
  // The command may look at $SLUICE_SMOKE and do less.
  smoke: (options) => ({ ...options, env: { ...mapOf(options, 'env'), SLUICE_SMOKE: '1' } }),
  steps: (options) => [
    {
      op: 'run',
      on: 'shell',
      with: options,
      inputs: { '*': 'input:*' },
      outputs: Object.fromEntries(Object.keys(outputs(options)).map((port) => [port, port])),
    },
  ],
}
