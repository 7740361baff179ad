/** What the inputs of the judged stage weigh, for `size(adapter)`: made by a stage, or a source of the user's own. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { partsOf } from '../../dsl/expression/syntax.ts'
import type { Expression } from '../../dsl/expression/syntax.ts'
import type { Gate, Stage } from '../../dsl/pipeline.ts'
import type { FoundSource } from '../environment.ts'
import type { Result } from '../store/results.ts'

export interface Weighed {
  readonly resultOf: (stage: string) => Result | null
  readonly sources: Readonly<Record<string, FoundSource>>
}

/** Port -> bytes, of the ports that a check asks for: to weigh a source means a look at each of its files. */
export function sizesOf(gate: Gate, judged: Stage | null, world: Weighed): Readonly<Record<string, number>> {
  const asked = new Set(gate.checks.flatMap(({ expression }) => portsIn(expression)))
  const sizes: [string, number][] = []
  for (const [port, from] of Object.entries(judged?.inputs ?? {})) {
    if (!asked.has(port)) continue
    const bytes =
      from.type === 'stage'
        ? world.resultOf(from.stage)?.outputs[from.port]?.bytes
        : weight(world.sources[from.source])
    if (bytes !== undefined) sizes.push([port, bytes])
  }
  return Object.fromEntries(sizes)
}

function portsIn(expression: Expression): readonly string[] {
  if (expression.type !== 'call' || expression.name !== 'size') return partsOf(expression).flatMap(portsIn)
  return expression.args.flatMap((each) => (each.type === 'name' ? [each.path[0] ?? ''] : []))
}

/** Undefined if the source is not there, or not whole any more. */
function weight(found: FoundSource | undefined): number | undefined {
  let bytes = 0
  for (const path of found?.files ?? []) {
    const stat = statSync(join(found?.dir ?? '', path), { throwIfNoEntry: false })
    if (stat === undefined) return undefined
    bytes += stat.size
  }
  return found === undefined ? undefined : bytes
}
