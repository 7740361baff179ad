/** `sluice gate --attest` and `sluice gate verify`: a verdict that travels with the model, and how to trust it. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { hubAddress } from '../../dsl/hub-address.ts'
import type { PipelineSource, Reference } from '../../dsl/pipeline.ts'
import { digestOf } from '../../engine/artifact.ts'
import type { Tree } from '../../engine/artifact.ts'
import { open, readPrivateKey, readPublicKey, seal } from '../../engine/attest/dsse.ts'
import type { Key } from '../../engine/attest/dsse.ts'
import { differencesTo, PAYLOAD_TYPE, readStatement, statementBytes } from '../../engine/attest/statement.ts'
import type { Subject } from '../../engine/attest/statement.ts'
import { sourceTree } from '../../engine/plan/sources.ts'
import { writeAtomic } from '../../engine/store/atomic.ts'
import type { Judged } from '../judging.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { stringFlag } from '../project.ts'
import type { Opened } from '../project.ts'
import { gatesJson, worst } from '../reports/gate-json.ts'
import { toType } from '../to-type.ts'

const GATE_FAILED = 3
const KEY_HELP =
  'openssl genpkey -algorithm ed25519 -out gate.key && openssl pkey -in gate.key -pubout -out gate.pub'

/** Any verdict can be signed: a signed "fail" is a fact as well, and `verify` refuses it. */
export async function writeAttestation(
  command: Command,
  opened: Opened,
  judged: Judged,
  file: string,
): Promise<void> {
  const path = stringFlag(command, 'key')
  if (path === null)
    throw new Usage(`--attest wants --key PEM, a private ed25519 key\n  help: ${KEY_HELP}`, true)
  const key = keyIn(path, readPrivateKey)
  const subjects = await subjectsOf(opened, judged)
  const { pipeline, environment } = opened
  const stages = [...judged.results].map(([name, { key: of }]) => [name, of] as const).sort()
  const predicate = {
    pipeline: pipeline.name,
    pipelineFile: { path: opened.file, sha256: digestOf(pipeline.source.text).slice('sha256:'.length) },
    verdict: worst(judged.gates.map(({ verdict }) => verdict)),
    exitCode: judged.exitCode,
    gates: gatesJson(judged.gates),
    rulers: Object.assign({}, ...judged.gates.map(({ rulers }) => rulers)) as Record<string, string>,
    /** Stage -> key, as in the lock. */
    keys: Object.fromEntries(stages),
    sluice: String(environment.provenance['sluice'] ?? ''),
  }
  const envelope = seal(PAYLOAD_TYPE, statementBytes(subjects, predicate), key)
  writeAtomic(resolve(file), `${JSON.stringify(envelope, null, 2)}\n`)
  const names = subjects.map(({ name }) => name).join(', ')
  process.stderr.write(`signed: ${predicate.verdict} of ${names}, in ${file}\n`)
}

/** What the gates judged: the adapter of each judged stage, or its model where there is none. */
async function subjectsOf(opened: Opened, judged: Judged): Promise<readonly Subject[]> {
  const subjects = new Map<string, Subject>()
  for (const { stage } of judged.gates) {
    const measured = opened.pipeline.stages.find(({ name }) => name === stage.gate?.judged)
    const kind = measured === undefined ? undefined : opened.environment.kinds[measured.uses]
    const portOf = (type: string) =>
      Object.keys(measured?.inputs ?? {}).find((port) => kind?.inputs[port]?.type === type)
    const port = portOf('adapter') ?? portOf('model')
    const from = port === undefined ? undefined : measured?.inputs[port]
    if (from === undefined)
      throw new Usage(`${stage.name} judges no adapter and no model: there is nothing to attest`, true)
    const subject = await subjectFrom(from, opened, judged)
    subjects.set(subject.name, subject)
  }
  return [...subjects.values()]
}

async function subjectFrom(from: Reference, opened: Opened, judged: Judged): Promise<Subject> {
  if (from.type === 'source') {
    const source = opened.pipeline.sources[from.source]
    if (source === undefined) throw new Error(`bug: there is no source ${from.source}`)
    const tree = await treeOfSource(source, opened)
    if (tree === null)
      throw new Usage(
        `${from.source} is not fetched yet, so there is nothing to attest\n  help: ${toType('run', opened)}`,
        true,
      )
    return { name: `sources.${from.source}`, tree }
  }
  const name = `${from.stage}.${from.port}`
  const artifact = judged.results.get(from.stage)?.outputs[from.port]
  if (artifact === undefined)
    throw new Usage(
      `${name} is not made yet for the file as it is, so there is nothing to attest\n  help: ${toType('run', opened)}`,
      true,
    )
  const tree = opened.stores.blobs.openTree(artifact.tree)
  if ('lost' in tree)
    throw new Usage(`${name} cannot be attested: ${tree.lost}\n  help: ${toType('run', opened)}`, true)
  return { name, tree }
}

/** Null for what lies on a hub while nobody has asked what it holds. */
async function treeOfSource(source: PipelineSource, { root, stores, sources }: Opened): Promise<Tree | null> {
  if (hubAddress(source.from) !== null) return sources[source.name]?.hub?.tree ?? null
  return await sourceTree(source, root, stores.stats)
}

/** 0 if everything fits, 3 if the model must not be used on the strength of this file, 2 if the question was wrong. */
export function verifyCommand(command: Command, rest: readonly string[]): number {
  const [file, more] = rest
  if (file === undefined || more !== undefined)
    throw new Usage(
      'gate verify wants one file\n  help: sluice gate verify verdict.json --pub gate.pub',
      true,
    )
  const pub = stringFlag(command, 'pub')
  if (pub === null) throw new Usage('gate verify wants --pub PEM, the public key to trust', true)
  const key = keyIn(pub, readPublicKey)
  if (!existsSync(file)) throw new Usage(`there is no file ${file}`, true)
  const dir = stringFlag(command, 'subject')
  if (dir !== null && !statSync(dir, { throwIfNoEntry: false })?.isDirectory())
    throw new Usage(`--subject wants a folder; ${dir} is none`, true)
  const opened = open(readFileSync(file, 'utf8'), PAYLOAD_TYPE, key)
  if (opened.type === 'malformed') throw new Usage(`${file} cannot be read: ${opened.why}`, true)
  const refuse = (why: string): number => {
    process.stdout.write(`✗ ${file}: ${why}\n`)
    return GATE_FAILED
  }
  if (opened.type === 'refused') return refuse(opened.why)
  const statement = readStatement(opened.payload)
  if ('problem' in statement) return refuse(statement.problem)
  const { verdict, pipeline } = statement.predicate
  if (verdict !== 'pass')
    return refuse(`the signature is good, but the verdict is ${JSON.stringify(verdict ?? null)}, not "pass"`)
  const different = dir === null ? [] : differencesTo(statement, dir)
  if (different.length > 0)
    return refuse(`the signature is good, but ${dir ?? ''} is not what was judged: ${listed(different)}`)
  const names = statement.subjects.map(({ name }) => name).filter((name) => !name.includes('/'))
  const checked =
    dir === null ? '; its files were not compared (--subject DIR)' : `; ${join(dir)} has exactly its files`
  process.stdout.write(`✓ ${file}: ${String(pipeline)} passed its gates, for ${names.join(', ')}${checked}\n`)
  return 0
}

const MOST_NAMED = 5

function listed(words: readonly string[]): string {
  const rest = words.length - MOST_NAMED
  return `${words.slice(0, MOST_NAMED).join(', ')}${rest > 0 ? `, and ${String(rest)} more` : ''}`
}

function keyIn(path: string, read: (pem: string) => Key): Extract<Key, { key: unknown }>['key'] {
  if (!existsSync(path)) throw new Usage(`there is no key file ${path}\n  help: ${KEY_HELP}`, true)
  const key = read(readFileSync(path, 'utf8'))
  if ('problem' in key)
    throw new Usage(`${path} is not the key that is needed: ${key.problem}\n  help: ${KEY_HELP}`, true)
  return key.key
}
