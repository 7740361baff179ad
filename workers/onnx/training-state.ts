/** All that training needs to go on as if it had never stopped: into a folder, and back. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AdamW } from './adamw.ts'
import { viewOf } from './parameter-layout.ts'
import type { ParameterLayout, ParameterView } from './parameter-layout.ts'
import type { RandomState } from './random.ts'
import { openSafetensors, readFloat32, writeSafetensors } from './safetensors.ts'
import type { StoredTensor } from './safetensors.ts'
import type { StepRecord } from './trainer.ts'

export interface TrainingState {
  readonly parameters: Float32Array
  readonly optimizer: AdamW
  /** One for each complete step. */
  readonly records: readonly StepRecord[]
  /** The generator of dropout masks after the last complete step; null without dropout. */
  readonly dropout: RandomState | null
}

const TENSORS = 'state.safetensors'
const RECORDS = 'metrics.jsonl'
const REST = 'state.json'
const KINDS = ['weights', 'm', 'v'] as const

/** The state's flat vectors by the name that they have in the file. */
function vectorsOf({ parameters, optimizer }: Pick<TrainingState, 'parameters' | 'optimizer'>) {
  return { weights: parameters, m: optimizer.m, v: optimizer.v }
}

export function writeTrainingState(dir: string, layout: ParameterLayout, state: TrainingState): void {
  const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>()
  for (const kind of KINDS)
    for (const view of layout.views.values())
      tensors.set(`${kind}.${view.name}`, { shape: view.shape, data: viewOf(vectorsOf(state)[kind], view) })
  writeSafetensors(join(dir, TENSORS), tensors, {})
  writeFileSync(join(dir, RECORDS), state.records.map((record) => `${JSON.stringify(record)}\n`).join(''))
  const rest = {
    format: 1,
    step: state.records.length,
    updates: state.optimizer.steps,
    dropout: state.dropout,
  }
  writeFileSync(join(dir, REST), `${JSON.stringify(rest)}\n`)
}

/** A state in a folder, found to fit; its vectors are still on disk. */
export interface StoredState extends Pick<TrainingState, 'records' | 'dropout'> {
  load(into: Pick<TrainingState, 'parameters' | 'optimizer'>): void
}

/** Throws if the folder holds anything but the state after `step` steps of training what `layout` lays out. */
export function openTrainingState(dir: string, layout: ParameterLayout, step: number): StoredState {
  const rest = JSON.parse(readFileSync(join(dir, REST), 'utf8')) as Rest
  const lines = readFileSync(join(dir, RECORDS), 'utf8').split('\n')
  const records = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as StepRecord)
  if ((rest.format as number) !== 1 || rest.step !== step || records.length !== step)
    throw new Error(`it is of step ${String(rest.step)} and has the records of ${records.length} steps`)
  const path = join(dir, TENSORS)
  const { tensors } = openSafetensors(path)
  const storedOf = (kind: string, view: ParameterView): StoredTensor => {
    const stored = tensors.get(`${kind}.${view.name}`)
    if (stored?.dtype === 'F32' && stored.shape.join() === view.shape.join()) return stored
    throw new Error(`it has no ${kind} of ${view.name} with the shape [${view.shape.join(', ')}]`)
  }
  const views = [...layout.views.values()]
  for (const kind of KINDS) for (const view of views) storedOf(kind, view)
  return {
    records,
    dropout: rest.dropout,
    load(into) {
      const vectors = vectorsOf(into)
      for (const kind of KINDS)
        for (const view of views) viewOf(vectors[kind], view).set(readFloat32(path, storedOf(kind, view)))
      into.optimizer.steps = rest.updates
    },
  }
}

interface Rest {
  readonly format: 1
  readonly step: number
  readonly updates: number
  readonly dropout: RandomState | null
}
