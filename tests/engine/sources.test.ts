/** Sources by content: files, splits and the fields that a schema names all decide the digest. */
import { expect, test } from 'vitest'
import type { PipelineSource } from '../../dsl/pipeline.ts'
import { openStores } from '../../engine/environment.ts'
import type { FoundSource } from '../../engine/environment.ts'
import { findSource } from '../../engine/plan/sources.ts'
import { environmentAt, go, lines, newRoot, pipelineOf, span, write } from '../support/rig.ts'

async function find(root: string, more: Partial<PipelineSource> = {}): Promise<FoundSource> {
  const source: PipelineSource = {
    name: 'news',
    type: 'dataset',
    from: 'news.jsonl',
    optional: false,
    span,
    ...more,
  }
  const found = await findSource(source, root, openStores(environmentAt(root).stateDir).stats)
  if ('missing' in found) throw new Error(`no ${found.missing}`)
  return found
}

function rootWithNews(): string {
  const root = newRoot()
  write(root, 'news.jsonl', '{}\n')
  return root
}

test('each role of a schema is part of the content, in whatever order it is written', async () => {
  const root = rootWithNews()
  const schemas = [
    { input: 'article', output: 'summary' },
    { input: 'summary', output: 'article' },
    { input: 'article', output: 'headline' },
    { input: 'article', output: 'summary', id: 'key' },
  ]
  const found = [await find(root), ...(await Promise.all(schemas.map((schema) => find(root, { schema }))))]
  expect(new Set(found.map(({ digest }) => digest)).size).toBe(5)
  expect((await find(root, { schema: { output: 'summary', input: 'article' } })).digest).toBe(
    found[1]?.digest,
  )
  const split = await find(root, { from: { train: 'news.jsonl' } })
  const both = await find(root, {
    from: { train: 'news.jsonl' },
    schema: { input: 'article', output: 'summary' },
  })
  expect(both.digest).not.toBe(split.digest)
})

test('the fields are named as ops know them; without a schema nothing is said', async () => {
  const root = rootWithNews()
  const { fields } = await find(root, { schema: { input: 'article', output: 'summary', id: 'key' } })
  expect(fields).toEqual({ prompt: 'article', response: 'summary', id: 'key' })
  expect(await find(root)).not.toHaveProperty('fields')
})

test('another schema runs the stages that read the source again, and its fields reach the job', async () => {
  const root = rootWithNews()
  const plain = pipelineOf({ read: { inputs: { a: '@news' } } }, { news: 'news.jsonl' })
  const named = (output: string) => {
    const source = { ...(plain.sources['news'] as PipelineSource), schema: { input: 'article', output } }
    return { ...plain, sources: { news: source } }
  }
  expect((await go(root, plain)).status).toEqual({ read: 'done' })
  expect((await go(root, named('summary'))).status).toEqual({ read: 'done' })
  expect((await go(root, named('summary'))).status).toEqual({ read: 'cached' })
  const ran = await go(root, named('headline'))
  expect(ran.status).toEqual({ read: 'done' })
  const [request = ''] = lines(`${root}/.sluice/runs/${ran.state.run}/read/1/events.jsonl`)
  const job = JSON.parse(request) as { inputs: Record<string, { fields?: object }> }
  expect(job.inputs['a']?.fields).toEqual({ prompt: 'article', response: 'headline' })
})
