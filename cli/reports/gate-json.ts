/** A verdict as `sluice gate --json` and the attestation hold it: every operand with unit, source and ruler. */
import type { JudgedCheck, Verdict } from '../../dsl/judge.ts'
import type { Stage } from '../../dsl/pipeline.ts'
import { positionOf } from '../../dsl/source.ts'
import type { MetricSchema } from '../../dsl/stage-signature.ts'
import type { Json, JsonObject } from '../../dsl/stage-signature.ts'
import type { JudgedGate } from '../judging.ts'

export function gateJson({ stage, verdict, rulers }: JudgedGate): JsonObject {
  return {
    verdict: verdict.verdict,
    judged: stage.gate?.judged ?? null,
    baseline: stage.gate?.baseline ?? null,
    checks: verdict.checks.map((check, index) => checkJson(check, index, stage, rulers)),
  }
}

export function gatesJson(gates: readonly JudgedGate[]): JsonObject {
  return Object.fromEntries(gates.map((gate) => [gate.stage.name, gateJson(gate)]))
}

function checkJson(
  check: JudgedCheck,
  index: number,
  stage: Stage,
  rulers: Readonly<Record<string, string>>,
): JsonObject {
  const metrics = stage.gate?.metrics ?? {}
  return {
    ...(check as unknown as JsonObject),
    range: rangeOf(stage, index),
    operands: check.operands.map((operand) => ({
      ...operand,
      unit: unitOf(metrics[operand.text.split('.').at(-1) ?? '']),
      ruler: rulers[operand.source] ?? null,
    })),
  }
}

/** `num`, `s` or `B`; null if it is not a metric of the judged stage. */
function unitOf(metric: MetricSchema | undefined): string | null {
  return metric?.dim ?? null
}

function rangeOf(stage: Stage, index: number): Json {
  const span = stage.gate?.checks[index]?.span
  if (span === undefined) return null
  const place = (offset: number) => ({ ...positionOf(span.source, offset), offset })
  return { file: span.source.path, start: place(span.start), end: place(span.end) }
}

/** The verdict of several gates together: one failed fails, one undecided leaves it so. */
export function worst(verdicts: readonly Verdict[]): Verdict['verdict'] {
  const kinds = verdicts.map(({ verdict }) => verdict)
  return kinds.includes('fail') ? 'fail' : kinds.includes('undecided') ? 'undecided' : 'pass'
}
