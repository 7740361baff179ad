/** The walls of docs/architecture.md: who may import whom, one door per outside library, no cycles. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const FOLDERS = ['cli', 'dsl', 'editor', 'engine', 'metrics', 'stages', 'workers']

interface File {
  readonly path: string
  readonly text: string
  /** Every module that it names, types included. */
  readonly imports: readonly string[]
  /** Those that exist at run time, for cycles. */
  readonly loads: readonly string[]
}

const files: readonly File[] = FOLDERS.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(join(root, folder, name))),
)

function read(path: string): File {
  const text = readFileSync(path, 'utf8')
  const place = (name: string) => (name.startsWith('.') ? relative(root, resolve(dirname(path), name)) : name)
  const statements = [
    ...text.matchAll(/^(?:import|export) (?<type>type )?[^'\n]*(?:\n[^'\n]*)*?from '(?<name>[^']+)'/gm),
  ]
  const dynamic = [...text.matchAll(/import\('(?<name>[^']+)'\)/g)].map((match) =>
    place(match.groups?.['name'] ?? ''),
  )
  const names = statements.map((match) => ({
    name: place(match.groups?.['name'] ?? ''),
    type: match.groups?.['type'] !== undefined,
  }))
  return {
    path: relative(root, path),
    text,
    imports: [...names.map(({ name }) => name), ...dynamic],
    loads: names.filter(({ type }) => !type).map(({ name }) => name),
  }
}

/** Folder or file -> what of ours it may import. */
const WALLS: readonly (readonly [string, readonly string[]])[] = [
  ['dsl/', ['dsl/']],
  ['editor/', ['editor/', 'dsl/']],
  ['metrics/', ['metrics/']],
  ['stages/', ['stages/', 'dsl/stage-signature.ts', 'engine/stage-kind.ts']],
  ['workers/protocol/', ['workers/protocol/']],
  ['workers/text/', ['workers/', 'metrics/']],
  ['workers/', ['workers/']],
  ['engine/remote/', ['engine/', 'dsl/']],
  ['engine/hub/', ['engine/', 'dsl/']],
  ['engine/', ['engine/', 'dsl/', 'metrics/', 'workers/protocol/']],
  ['cli/', ['cli/', 'editor/', 'engine/', 'dsl/', 'stages/']],
]

/** Library -> the one file (or folder) that may import it. */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  '@huggingface/jinja': ['workers/text/jinja.ts'],
  yaml: ['dsl/read-yaml.ts', 'dsl/format/tokens.ts'],
  ajv: ['dsl/check-shape.ts'],
  'ajv/dist/2020.js': ['dsl/check-shape.ts'],
  chevrotain: ['dsl/expression/parse.ts'],
  graphology: ['dsl/graph.ts'],
  xstate: ['engine/run/stage-life.ts'],
  execa: ['engine/worker/session.ts'],
  tinyglobby: ['engine/plan/sources.ts'],
  'onnxruntime-node': ['workers/onnx/session.ts'],
  tokenizers: ['workers/'],
}

test('the walls stand', () => {
  expect(files.length).toBeGreaterThan(60)
  const broken = files.flatMap((file) => {
    const wall = WALLS.find(([folder]) => file.path.startsWith(folder))
    if (wall === undefined) return [`${file.path} stands in no room`]
    return file.imports
      .filter((name) => FOLDERS.some((folder) => name.startsWith(`${folder}/`)))
      .filter((name) => !wall[1].some((allowed) => name.startsWith(allowed)))
      .map((name) => `${file.path} imports ${name}`)
  })
  expect(broken).toEqual([])
})

test('dsl, editor and metrics know nothing of the machine', () => {
  const broken = files
    .filter((file) => /^(dsl|editor|metrics)\//.test(file.path))
    .flatMap((file) =>
      file.imports.filter((name) => name.startsWith('node:')).map((name) => `${file.path} imports ${name}`),
    )
  expect(broken).toEqual([])
})

describe('each outside library has one door', () => {
  const used = new Set(
    files
      .flatMap((file) => file.imports)
      .filter((name) => !name.startsWith('node:') && !/^[a-z]+\/.*\.ts$/.test(name)),
  )
  test('every library used has a door in the list', () => {
    expect([...used].filter((name) => !(name in DOORS))).toEqual([])
  })
  test.each(Object.entries(DOORS))('%s', (library, doors) => {
    const through = files.filter((file) => file.imports.includes(library)).map((file) => file.path)
    expect(through.filter((path) => !doors.some((door) => path.startsWith(door)))).toEqual([])
  })
})

test('nothing imports in a circle', () => {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const done = new Set<string>()
  const circles: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at !== -1) circles.push([...trail.slice(at), path].join(' -> '))
    if (at !== -1 || done.has(path)) return
    for (const next of byPath.get(path)?.loads ?? []) if (byPath.has(next)) visit(next, [...trail, path])
    done.add(path)
  }
  for (const file of files) visit(file.path, [])
  expect(circles).toEqual([])
})

test.each(['run', 'plan', 'why', 'validate', 'gate', 'show', 'runs', 'metrics'])(
  '%s begins without the compiler: of a file that was compiled before it needs none',
  (command) => {
    const byPath = new Map(files.map((file) => [file.path, file]))
    const reached = new Set([`cli/commands/${command}.ts`])
    for (const path of reached) for (const next of byPath.get(path)?.loads ?? []) reached.add(next)
    expect(reached.size).toBeGreaterThan(20)
    const heavy = ['dsl/compile.ts', 'yaml', 'chevrotain', 'graphology', 'ajv/dist/2020.js']
    expect(heavy.filter((name) => reached.has(name))).toEqual([])
  },
)

test('only the launcher and the command line end the process or read its arguments', () => {
  const broken = files.filter(
    (file) =>
      !/^(cli|workers)\//.test(file.path) &&
      /(?<![.#])process\.(exit|argv|env|stdout|stderr)\b/.test(file.text),
  )
  expect(broken.map((file) => file.path)).toEqual([])
})

test('named exports only, no barrels, a sentence on top', () => {
  const broken = files.filter(
    (file) => /^export (default|\*)/m.test(file.text) || !file.text.startsWith('/**'),
  )
  expect(broken.map((file) => file.path)).toEqual([])
})
