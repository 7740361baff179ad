/** Which worker does the heavy steps of a stage. */
import type { Diagnostic } from './diagnostic.ts'
import { own } from './own.ts'
import * as problems from './problems/workers.ts'
import { NO_WORKER, type Workers, type WorkerWish } from './read-workers.ts'
import { didYouMean } from './spelling.ts'
import type { JsonObject, StageSignature } from './stage-signature.ts'
import type { Draft } from './wiring.ts'

/** The name of the worker that takes all heavy steps of a stage; null is the one that comes with Sluice. */
export function workerFor(
  kind: StageSignature,
  options: JsonObject,
  wish: WorkerWish | null,
  workers: Workers,
): string | null {
  const worker = wish === null ? undefined : own(workers, wish.name)
  if (worker === undefined) return null
  const ops = heavyOps(kind, options)
  return ops.length > 0 && ops.every((op) => worker.capabilities.includes(op)) ? worker.name : null
}

function heavyOps(kind: StageSignature, options: JsonObject): readonly string[] {
  return (kind.steps?.(options) ?? []).filter(({ on }) => on === 'kernel').map(({ op }) => op)
}

/**
 * A worker under `defaults:` takes the stages that it can do. One that a stage names itself has to be able to do it, and
 * there has to be something to do.
 */
export function checkWorkers(
  drafts: Iterable<Draft>,
  defaults: WorkerWish | null,
  workers: Workers | null,
  out: Diagnostic[],
): void {
  if (workers === null) return
  const isKnown = ({ name }: WorkerWish): boolean => name === NO_WORKER || own(workers, name) !== undefined
  const unknown = ({ name, span }: WorkerWish): Diagnostic => {
    const names = Object.keys(workers)
    return problems.unknownWorker(span, name, didYouMean(name, names), names)
  }
  if (defaults !== null && !isKnown(defaults)) out.push(unknown(defaults))
  for (const { name, kind, with: options, declaration, sound } of drafts) {
    const wish = declaration?.settings.worker ?? null
    if (wish === null || wish === defaults || kind.decides !== undefined || !sound) continue
    if (!isKnown(wish)) {
      out.push(unknown(wish))
      continue
    }
    const ops = heavyOps(kind, options)
    const able: readonly string[] = own(workers, wish.name)?.capabilities ?? ops
    const lacking = ops.filter((op) => !able.includes(op))
    if (ops.length === 0) out.push(problems.nothingHeavy(wish.span, name))
    else if (lacking.length > 0) out.push(problems.cannotDo(wish.span, wish.name, name, lacking, able))
  }
}
