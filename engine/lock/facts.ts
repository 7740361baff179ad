/** Results and wiring as the facts that a lock keeps of them. */
import type { Stage } from '../../dsl/pipeline.ts'
import type { Json } from '../../dsl/stage-signature.ts'
import { canonicalJson } from '../artifact.ts'
import type { Digest } from '../artifact.ts'
import type { FoundSource } from '../environment.ts'
import type { Facts } from '../lock-file.ts'
import type { Manifest } from '../plan/manifest.ts'
import type { MetricsFile } from '../run/gate.ts'
import type { Result } from '../store/results.ts'

/** What a stage was made from and what came out; `rows` if its summary counts them. */
export function stageFacts(result: Result): Facts {
  const manifest = Object.entries(result.manifest).map(([name, value]) => [name, JSON.parse(value) as Json])
  const made = Object.entries(result.outputs).map(([port, artifact]) => [`out.${port}`, artifact.tree])
  const { rows } = result.summary
  const counted = typeof rows === 'number' ? { rows } : {}
  return { ...Object.fromEntries([...manifest, ...made]), ...counted, key: result.key } as Facts
}

/** A choice has no manifest: what it was made from are its rules and the trials, which have facts of their own. */
export function choiceFacts(result: Result, stage: Stage): Facts {
  const { chosen } = result.summary
  return { ...stageFacts(result), ...rulesOf(stage), ...(typeof chosen === 'string' ? { chosen } : {}) }
}

/** The rules of a choice as its facts have them. */
export function rulesOf(stage: Stage): Facts {
  return Object.fromEntries(Object.entries(stage.with).map(([name, value]) => [`with.${name}`, value]))
}

/** The manifest that a stage's facts were made from. */
export function lockedManifest(facts: Facts): Manifest {
  const kept = Object.entries(facts).filter(([fact]) =>
    /^(with|also|input|op|runtime)\.|^(kind|version|format)$/.test(fact),
  )
  return Object.fromEntries(kept.map(([fact, value]) => [fact, canonicalJson(value)]))
}

export function scoreFacts(metrics: MetricsFile): Facts {
  const values = Object.entries(metrics.metrics).map(([name, { value }]) => [name, value])
  return {
    ruler: metrics.ruler,
    rows: metrics.rows,
    ...(Object.fromEntries(values) as Record<string, Json>),
  }
}

/** Port -> `stage.port` or `sources.name`. */
export function wiringFacts(stage: Stage): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(stage.inputs).map(([port, from]) => [
      port,
      from.type === 'source' ? `sources.${from.source}` : `${from.stage}.${from.port}`,
    ]),
  )
}

export function sourceFacts(found: FoundSource): Facts {
  return { digest: found.digest, files: found.count, ...found.hub?.origin }
}

/** The content of an output as the lock has it, or null. */
export function lockedOutput(facts: Facts | undefined, port: string): Digest | null {
  const tree = facts?.[`out.${port}`]
  return typeof tree === 'string' ? (tree as Digest) : null
}
