/** The stage kinds that come with Sluice, by the name that `uses:` takes. */
import type { StageKind } from '../engine/stage-kind.ts'
import { clean } from './clean.ts'
import { evaluate } from './eval.ts'
import { exporting } from './export.ts'
import { gate } from './gate.ts'
import { humanReview } from './human-review.ts'
import { loraTrain } from './lora-train.ts'
import { merge } from './merge.ts'
import { pretrain } from './pretrain.ts'
import { select } from './select.ts'
import { shell } from './shell.ts'
import { shrink } from './shrink.ts'
import { split } from './split.ts'
import { tokenize } from './tokenize.ts'

const kinds: readonly StageKind[] = [
  pretrain,
  clean,
  split,
  tokenize,
  loraTrain,
  evaluate,
  humanReview,
  select,
  merge,
  shrink,
  shell,
  gate,
  exporting,
]

export const stageKinds: Readonly<Record<string, StageKind>> = Object.fromEntries(
  kinds.map((kind) => [kind.name, kind]),
)
