/** A compiled gate over eval's metrics, with an untuned baseline. */
import { compile } from '../../dsl/compile.ts'
import type { Gate, Pipeline } from '../../dsl/pipeline.ts'
import { stageKinds } from '../../stages/catalogue.ts'

/** @param checks as they stand behind `- ` in the file */
export function pipelineWith(checks: readonly string[], evalOptions = '{}'): Pipeline {
  const text = [
    'version: 1',
    'name: t',
    'model: m',
    'data: d.jsonl',
    'flow: clean -> split -> tokenize -> lora-train -> eval -> gate',
    'stages:',
    '  split: { with: { train: 80%, validation: 10%, test: 10% } }',
    `  eval: { with: ${evalOptions} }`,
    '  gate:',
    '    baseline: untuned',
    '    checks:',
    ...checks.map((check) => `      - ${check}`),
    '',
  ].join('\n')
  const { value, diagnostics } = compile({ path: 't', text }, stageKinds)
  if (value === undefined) throw new Error(JSON.stringify(diagnostics.map(({ message }) => message)))
  return value
}

export function gateWith(checks: readonly string[], evalOptions = '{}'): Gate {
  const gate = pipelineWith(checks, evalOptions).stages.find((stage) => stage.gate !== null)?.gate
  if (gate == null) throw new Error('the fixture has no gate')
  return gate
}
