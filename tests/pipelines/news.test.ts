/** The news: nothing of the exam is in the corpus, every section is asked about, and cleaning finds what was added. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import type { Json, JsonObject } from '../../workers/protocol/json.ts'
import type { InputFiles } from '../../workers/protocol/messages.ts'
import { run as clean } from '../../workers/text/ops/clean.ts'
import { run as split } from '../../workers/text/ops/split.ts'
import { neighbourSearch } from '../../metrics/neighbour.ts'
import { stageKinds } from '../../stages/catalogue.ts'
import { runOp } from '../text/run-op.ts'
import type { Ran } from '../text/run-op.ts'

interface Story {
  readonly id: string
  readonly section: string
  readonly summary: string
  readonly articles: readonly string[]
}
interface NewsMaker {
  readonly make: () => Readonly<Record<string, string>>
  readonly readStories: () => readonly Story[]
  readonly SECTIONS: readonly string[]
  readonly ADDED: Readonly<Record<'duplicate' | 'misfiled' | 'blank', number>>
}

const folder = new URL('../../pipelines/', import.meta.url)
// By address, because the script is plain JavaScript without declarations.
const news = (await import(new URL('summarise-en/make.mjs', folder).href)) as NewsMaker
const stories = news.readStories()
const town = news.make()['town.txt'] ?? ''

const words = (text: string): readonly string[] => text.toLowerCase().match(/[a-z0-9']+/g) ?? []

/** The longest run of words of `text` that occurs in `other`. */
function sharedRun(text: string, other: string): number {
  const [ours, theirs] = [words(text), ` ${words(other).join(' ')} `]
  let longest = 0
  for (let start = 0; start < ours.length; start++) {
    while (
      start + longest < ours.length &&
      theirs.includes(` ${ours.slice(start, start + longest + 1).join(' ')} `)
    )
      longest++
  }
  return longest
}

test('six words in a row of an article or a summary are never in the chronicle', () => {
  const texts = stories.flatMap((story) => [story.summary, ...story.articles])
  expect(texts).toHaveLength(60 * 9)
  expect(texts.filter((text) => sharedRun(text, town) >= 6)).toEqual([])
})

test('no article holds its summary, which is one sentence and shorter', () => {
  for (const { summary, articles } of stories) {
    expect(summary).toMatch(/^[^.!?]+\.$/)
    for (const article of articles) {
      expect(sharedRun(summary, article), article).toBeLessThan(words(summary).length)
      expect(article.length, article).toBeGreaterThan(summary.length * 0.8)
    }
  }
})

test('each section has ten stories', () => {
  const counts = news.SECTIONS.map((section) => stories.filter((story) => story.section === section).length)
  expect(counts).toEqual([10, 10, 10, 10, 10, 10])
})

interface PipelineFile {
  readonly sources: {
    readonly news: { readonly schema: { readonly input: string; readonly output: string } }
  }
  readonly stages: Readonly<Record<string, { readonly with: JsonObject }>>
}
const file = parse(readFileSync(new URL('summarise-en.pipeline.yaml', folder), 'utf8')) as PipelineFile

/** A stage's options as the file has them; shares are written as percentages. */
function optionsOf(stage: string): JsonObject {
  const properties = stageKinds[stage]?.options['properties'] as Readonly<Record<string, { default: Json }>>
  const defaults = Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, schema.default]),
  )
  const share = (value: Json): Json =>
    typeof value === 'string' && value.endsWith('%') ? Number(value.slice(0, -1)) / 100 : value
  const given = Object.entries(file.stages[stage]?.with ?? {}).map(([name, value]) => [name, share(value)])
  return { ...defaults, ...(Object.fromEntries(given) as JsonObject) }
}

const { input, output } = file.sources.news.schema
const raw: InputFiles = {
  dir: new URL('summarise-en', folder).pathname,
  files: ['news.jsonl'],
  fields: { prompt: input, response: output },
}
const filesOf = (ran: Ran, files: readonly string[]): InputFiles => ({ dir: ran.dir, files })

test('cleaning finds exactly the rows that were added, and a misfiled copy does not move its story', async () => {
  const cleaned = await runOp(clean, optionsOf('clean'), { data: raw }, 'data')
  const { duplicate, misfiled, blank } = news.ADDED
  const rules = cleaned.summary['rules'] as Record<string, { rows: number }>
  const counts = Object.fromEntries(Object.entries(rules).map(([rule, { rows }]) => [rule, rows]))
  expect(counts).toEqual({ duplicate: duplicate + misfiled, duplicate_fields: misfiled, blank })
  const sections = new Map(stories.map((story) => [story.summary, story.section]))
  const rows = (await cleaned.rows('all.jsonl')) as readonly { response: string; section?: string }[]
  expect(rows).toHaveLength(480)
  expect(rows.filter((row) => row.section !== sections.get(row.response))).toEqual([])
})

test('the exam asks about every section, and the most similar article always knows the summary', async () => {
  const cleaned = await runOp(clean, optionsOf('clean'), { data: raw }, 'data')
  const data = filesOf(cleaned, ['all.jsonl', 'dataset.json'])
  const divided = await runOp(split, optionsOf('split'), { data }, 'data')
  const [train, exam] = (await Promise.all([divided.rows('train.jsonl'), divided.rows('test.jsonl')])) as [
    Awaited<ReturnType<Ran['rows']>>,
    readonly { id: string; prompt: string; response: string; section: string }[],
  ]
  const counts = news.SECTIONS.map((section) => exam.filter((row) => row.section === section).length)
  console.info(
    `summarise-en: ${exam.length} test rows, by section ${counts.join(' ')}; ${train.length} to learn from`,
  )
  expect(Math.min(...counts)).toBeGreaterThanOrEqual(8)
  const known = new Set(train.map((row) => row.prompt))
  expect(exam.filter((row) => known.has(row.prompt))).toEqual([])
  const search = neighbourSearch(train)
  const right = exam.filter((row) => search(row.prompt)?.row.response === row.response).length
  console.info(`summarise-en: neighbour right for ${right} of ${exam.length}`)
  expect(right / exam.length).toBeGreaterThanOrEqual(0.9)
})
