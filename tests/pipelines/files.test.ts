/** The example pipeline files: they compile without a word, and the sweep reuses what the demo has made. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { compile } from '../../dsl/compile.ts'
import type { Pipeline } from '../../dsl/pipeline.ts'
import { stageKinds } from '../../stages/catalogue.ts'

const folder = new URL('../../pipelines/', import.meta.url)
const files = readdirSync(folder).filter((file) => file.endsWith('.pipeline.yaml'))

function compiled(file: string): Pipeline {
  const path = `pipelines/${file}`
  const { value, diagnostics } = compile(
    { path, text: readFileSync(new URL(file, folder), 'utf8') },
    stageKinds,
  )
  expect(diagnostics, file).toEqual([])
  if (value === undefined) throw new Error(`${file} does not compile`)
  return value
}

test('every example compiles without a warning', () => {
  expect(files.sort()).toEqual([
    'faq-en.pipeline.yaml',
    'review-zh.pipeline.yaml',
    'summarise-en.pipeline.yaml',
    'support-zh.pipeline.yaml',
    'sweep-zh.pipeline.yaml',
  ])
  for (const file of files) compiled(file)
})

test('the sweep pretrains and cleans with the very options of the demo, and tests on the same rows', () => {
  const [demo, sweep] = ['support-zh', 'sweep-zh'].map((name) => compiled(`${name}.pipeline.yaml`))
  const optionsOf = (pipeline: Pipeline | undefined, stage: string) =>
    pipeline?.stages.find(({ name }) => name === stage)?.with
  for (const stage of ['pretrain', 'clean', 'tokenize'])
    expect(optionsOf(sweep, stage), stage).toEqual(optionsOf(demo, stage))
  // Test is cut first, by the seed; its rows do not depend on what validation gets.
  const { test: share, seed } = optionsOf(demo, 'split') ?? {}
  expect(optionsOf(sweep, 'split')).toMatchObject({ test: share, seed })
  for (const [name, source] of Object.entries(demo?.sources ?? {}))
    expect(sweep?.sources[name]?.from, name).toEqual(source.from)
})

test('the sweep does not choose by the rows that judge the winner', () => {
  const { stages } = compiled('sweep-zh.pipeline.yaml')
  const splitOf = (kind: RegExp) => [
    ...new Set(stages.filter(({ name }) => kind.test(name)).map((stage) => stage.with['split'])),
  ]
  expect(stages.filter(({ name }) => name.startsWith('score'))).toHaveLength(4)
  expect(splitOf(/^score/)).toEqual(['validation'])
  expect(splitOf(/^final$/)).toEqual(['test'])
})
