/** `sluice gate --test` and `--mutate`: does the gate do what it should, and can it block at all. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decode } from '../../dsl/decode.ts'
import type { Checked, Diagnostic } from '../../dsl/diagnostic.ts'
import { brokenTests, readGateTests, runGateTests } from '../../dsl/gate-tests.ts'
import type { GateTestOutcome } from '../../dsl/gate-tests.ts'
import { strengthOf } from '../../dsl/mutate.ts'
import type { Pipeline } from '../../dsl/pipeline.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { compiledPipeline, FileProblem, gateTestsPath } from '../project.ts'
import { gateTestsText, strengthText } from '../reports/gate-tests.ts'
import { painter, useColor } from '../reports/style.ts'

/** The file is wrong: it does not do what its own tests say, or holds a check that never blocks. */
const BAD_FILE = 2

export async function gateTestsCommand(command: Command, buildDir: string): Promise<number> {
  const { root, file, pipeline } = await compiledPipeline(command, buildDir)
  const paint = painter(useColor(process.stdout, command))
  const json: Record<string, unknown> = {}
  const texts: string[] = []
  let fails = false
  if (command.flags['test'] === true) {
    const path = gateTestsPath(file)
    const outcomes = outcomesOf(root, file, pipeline)
    if (outcomes === null) {
      throw new Usage(
        `there is no file ${path}\n  help: write one, such as\n    - given: { ${exampleFor(pipeline)} }\n      expect: fail`,
        true,
      )
    }
    if (outcomes.value === undefined) throw new FileProblem(outcomes.diagnostics, root)
    fails ||= outcomes.value.some(({ holds }) => !holds)
    json['tests'] = outcomes.value.map(({ test: { gate, given, expect, because }, verdict, holds }) => {
      return { gate, given, expect, because, verdict: verdict.verdict, holds }
    })
    texts.push(gateTestsText(path, outcomes.value, pipeline, paint))
  }
  if (command.flags['mutate'] === true) {
    const gates = pipeline.stages.flatMap(({ name, gate }) =>
      gate === null ? [] : [{ name, strength: strengthOf(gate) }],
    )
    if (gates.length === 0) throw new Usage(`${file} has no gate`, true)
    const idle = gates.some(({ strength }) => strength.checks.some((each) => each.strength === 'never'))
    fails ||= idle && command.flags['strict'] === true
    json['mutations'] = Object.fromEntries(
      gates.map(({ name, strength: { checks, unguarded } }) => {
        const each = checks.map(({ check, strength, blockedBy }) => ({
          text: check.text,
          strength,
          blockedBy,
        }))
        return [name, { checks: each, unguarded }]
      }),
    )
    texts.push(...gates.map(({ name, strength }) => strengthText(name, strength, paint)))
  }
  process.stdout.write(
    command.flags['json'] === true ? `${JSON.stringify(json, null, 2)}\n` : `${texts.join('\n\n')}\n`,
  )
  return fails ? BAD_FILE : 0
}

/** Null if the pipeline has no file of gate tests. */
export function outcomesOf(
  root: string,
  file: string,
  pipeline: Pipeline,
): Checked<readonly GateTestOutcome[]> | null {
  const path = gateTestsPath(file)
  if (!existsSync(join(root, path))) return null
  const { source, problem } = decode(path, readFileSync(join(root, path)))
  if (problem !== null) return { diagnostics: [problem] }
  const { value, diagnostics } = readGateTests(source, pipeline)
  return value === undefined ? { diagnostics } : { value: runGateTests(value, pipeline), diagnostics }
}

/** What `validate` has to say of a pipeline's gate tests; nothing if it has none. */
export function gateTestProblems(root: string, file: string, pipeline: Pipeline): readonly Diagnostic[] {
  const outcomes = outcomesOf(root, file, pipeline)
  return outcomes === null ? [] : [...outcomes.diagnostics, ...brokenTests(outcomes.value ?? [])]
}

function exampleFor(pipeline: Pipeline): string {
  const gate = pipeline.stages.find((stage) => stage.gate !== null)?.gate
  return `${Object.keys(gate?.metrics ?? { bleu: 0 })[0] ?? 'bleu'}: 0.1`
}
