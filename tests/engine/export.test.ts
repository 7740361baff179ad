/** The folder of an export against the disk, other runs and crafted records: no byte of it unchecked, no file of others lost. */
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { digestOf } from '../../engine/artifact.ts'
import { openStores } from '../../engine/environment.ts'
import { placeFolder } from '../../engine/export/folder.ts'
import type { Placed } from '../../engine/export/folder.ts'
import { rightOf } from '../../engine/run/export.ts'
import { visit } from '../../engine/run/visit.ts'
import type { StageKind } from '../../engine/stage-kind.ts'
import { exporting } from '../../stages/export.ts'
import { damage, go, newRoot, pipelineOf, until, write } from '../support/rig.ts'
import type { Ran, RunChanges, Toy } from '../support/rig.ts'
import { toyKinds } from '../support/toy-kinds.ts'

let root = ''
beforeEach(() => {
  root = newRoot()
})

const kinds: Readonly<Record<string, StageKind>> = { ...toyKinds, export: exporting }
const export_: Toy = {
  uses: 'export',
  with: { format: 'adapter', to: 'dist/x' },
  inputs: { adapter: 'b.out' },
}
const goExporting = (b: Toy, changes: RunChanges = {}, name = 'toy') => {
  const data = { data: 'data/rows.txt' }
  const a: Toy = { with: { copy: true }, inputs: { a: '@data' } }
  const pipeline = pipelineOf({ a, b: { ...b, inputs: { a: 'a.out' } }, export: export_ }, data)
  return go(root, { ...pipeline, name }, { environment: { kinds }, ...changes })
}
const making = (text: string, more: object = {}): Toy => ({ with: { files: { 'x.txt': text }, ...more } })
const read = (path: string) => readFileSync(join(root, path), 'utf8')

test('a run that another with newer files has overtaken leaves the folder to it', async () => {
  write(root, 'data/rows.txt', 'old')
  let newer: Promise<Ran> | null = null
  let newerEnded = false
  const older = await goExporting(making('of the older', { slow: 4000 }), {
    onEvent: (event) => {
      if (event.type !== 'stage.done' || event.stage !== 'a') return
      write(root, 'data/rows.txt', 'new')
      newer = goExporting(making('of the newer'))
      void newer.then(() => (newerEnded = true))
    },
  })
  expect(newerEnded, 'the newer one has ended first').toBe(true)
  expect((await (newer as unknown as Promise<Ran>)).status['export']).toBe('exported')
  expect(read('dist/x/x.txt')).toBe('of the newer')
  expect(older.status['export']).toBe('skipped')
  expect(older.exitCode).toBe(0)
  expect(older.state.stages.get('export')?.skippedBecause).toBe(
    'another run with newer files has ended: dist/x is left to it',
  )
})

test('who holds the right to a folder keeps every pipeline out of it, and only of it', async () => {
  write(root, 'data/rows.txt', 'rows')
  const waits = (ran: Ran) => ran.events.some(({ type }) => type === 'stage.waiting')
  await visit(join(root, '.sluice'), 'sluice export', async (rights) => {
    const right = await rights.take(rightOf(root, './dist//x/'), () => undefined, AbortSignal.timeout(9e3))
    const waiting = new Set<string>()
    const runs = ['one', 'two'].map((name) =>
      goExporting(
        making('x'),
        {
          lockPath: null,
          onEvent: ({ type }) => {
            if (type === 'stage.waiting') waiting.add(name)
          },
        },
        name,
      ),
    )
    await until(() => waiting.size === 2, 'both wait')
    expect(existsSync(join(root, 'dist'))).toBe(false)
    right.release()
    const [one, two] = await Promise.all(runs)
    // The second finds the export of the first there, and leaves it alone.
    expect([one?.status['export'], two?.status['export']].sort()).toEqual(['exported', 'failed'])
    expect([one, two].every((ran) => ran !== undefined && waits(ran))).toBe(true)
  })
  expect(rightOf(root, 'dist/y')).not.toBe(rightOf(root, 'dist/x'))
  expect(readdirSync(join(root, 'dist'))).toEqual(['x'])
})

test('bytes that rotted in the store are not handed out', async () => {
  write(root, 'data/rows.txt', 'rows')
  expect((await goExporting(making('good'))).exitCode).toBe(0)
  rmSync(join(root, 'dist'), { recursive: true })
  const { blobs } = openStores(join(root, '.sluice'))
  const blob = blobs.pathOf(digestOf('good'))
  damage(blob, 'evil')
  const ran = await goExporting(making('good'))
  expect(ran.status['export']).toBe('failed')
  const stage = ran.state.stages.get('export')
  expect(JSON.stringify(stage)).toContain('nothing was exported to dist/x: x.txt is damaged in the store')
  expect(JSON.stringify(stage)).toContain('sluice cache verify --full')
  expect(readdirSync(join(root, 'dist'))).toEqual([])
})

const placing = (text: string): Promise<Placed> =>
  placeFolder(join(root, 'out'), [{ path: 'x.txt', text }], { owner: 'toy', about: {} })

test.each(['../victim.txt', 'deep/../../victim.txt', '..\\victim.txt', '/victim.txt', '', 7, null])(
  'a record that names %j is nobody’s: nothing is removed',
  async (path) => {
    await placing('mine')
    const named = path === '/victim.txt' ? join(root, 'victim.txt') : path
    write(root, 'victim.txt', 'precious')
    const record = JSON.parse(read('out/sluice-export.json')) as { files: object[] }
    record.files.push({ path: named, size: 8, digest: digestOf('precious') })
    write(root, 'out/sluice-export.json', JSON.stringify(record))
    const placed = await placing('newer')
    expect(placed).toMatchObject({ type: 'refused' })
    // Nor if it lies there as the old folder of an export that was killed.
    renameSync(join(root, 'out'), join(root, '.out.sluice-old'))
    write(root, 'out/sluice-export.json', '{}')
    await placing('newer')
    expect(read('victim.txt')).toBe('precious')
  },
)

test('what somebody changes in the old folder while the new one takes its place is kept', async () => {
  await placing('first')
  // As a kill at `export-placed` leaves it.
  cpSync(join(root, 'out'), join(root, '.out.sluice-old'), { recursive: true })
  write(root, '.out.sluice-old/x.txt', 'notes')
  const placed = await placing('first')
  expect(placed).toMatchObject({ type: 'unchanged', note: expect.stringContaining('are kept in') as string })
  const kept = readdirSync(root).find((name) => name.startsWith('out.kept-'))
  expect(read(`${kept ?? ''}/x.txt`)).toBe('notes')
  expect(existsSync(join(root, '.out.sluice-old'))).toBe(false)
})
