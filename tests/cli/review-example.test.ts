/** The example `review-zh`, both ways: without ratings it waits for people, with the sheet of the repository it decides. */
import { cpSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { emptyProject } from './newcomer.ts'

const pipelines = join(import.meta.dirname, '../../pipelines')
const RATINGS = 'pipelines/review-zh/ratings/two.csv'

test('it waits, decides, and is undone by raters who like the old answers better', async () => {
  const project = emptyProject()
  project.write('sluice.config.yaml', 'version: 1\n')
  for (const name of ['review-zh.pipeline.yaml', 'review-zh'])
    cpSync(join(pipelines, name), join(project.root, 'pipelines', name), { recursive: true })
  rmSync(join(project.root, RATINGS))
  const first = await project.sluice('run')
  expect(first.code, first.stderr).toBe(5)
  expect(first.stdout).toContain('review waits for people: 10 questions, 2 raters, no ratings yet')

  const ratings = readFileSync(join(pipelines, 'review-zh/ratings/two.csv'), 'utf8')
  project.write(RATINGS, ratings)
  const second = await project.sluice('run')
  expect(second.code, second.stderr).toBe(0)
  expect(second.stdout).toMatch(/✓ mean > baseline_mean with p < 0\.05 +4\.250 +> +2\.150/)
  expect(second.stdout).toMatch(/✓ agreement >= 0\.4/)

  // The two answers of each question change their ratings.
  project.write(RATINGS, ratings.replace(/^(q\w+,.+?),(\d),(\d),/gm, '$1,$3,$2,'))
  const third = await project.sluice('run')
  expect(third.code, third.stderr).toBe(3)
  expect(third.stdout).toMatch(
    /✗ mean > baseline_mean with p < 0\.05 +2\.150 +> +4\.250|✗ mean > baseline_mean/,
  )
})

test('a test split that repeats train is an error before anything runs', async () => {
  const project = emptyProject()
  project.write('sluice.config.yaml', 'version: 1\n')
  project.write(
    'pipelines/t.pipeline.yaml',
    'version: 1\nname: t\ndata: { train: data/train.jsonl, test: data/test.jsonl }\nflow: split\n',
  )
  project.write('data/train.jsonl', '{"prompt":"如何开户","response":"1"}\n')
  project.write(
    'data/test.jsonl',
    '{"prompt":"怎么退款","response":"2"}\n{"prompt":"如何开户？","response":"1"}\n',
  )
  for (const verb of ['validate', 'plan', 'run']) {
    const { code, stderr, stdout } = await project.sluice(verb)
    expect(code, verb).toBe(2)
    expect(stderr + stdout, verb).toMatch(/E301[\s\S]*1 of 2 test rows[\s\S]*data\/test\.jsonl:2/)
  }
  project.write('data/test.jsonl', '{"prompt":"怎么退款","response":"2"}\n')
  expect((await project.sluice('run')).code).toBe(0)
})
