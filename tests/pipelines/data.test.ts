/** The example data: made by its script byte for byte, damaged as announced, varied, and learnable from wording. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

interface Subject {
  readonly id: string
  readonly answer: string
  readonly questions: readonly string[]
  readonly handbook: string
}
interface Row {
  readonly prompt: string
  readonly response: string
}
interface Maker {
  readonly make: () => Readonly<Record<string, string>>
  readonly readSubjects: () => readonly Subject[]
}
interface DirtyMaker extends Maker {
  readonly DIRT: Readonly<Record<'inPlace' | 'added', Readonly<Record<string, number>>>>
  readonly PREFIXES: readonly string[]
  readonly WRONG_TERMS: Readonly<Record<string, string>>
  readonly OLD_ANSWERS: Readonly<Record<string, string>>
}
interface Story {
  readonly id: string
  readonly summary: string
  readonly articles: readonly string[]
  readonly chronicle: string
}
interface NewsMaker {
  readonly make: () => Readonly<Record<string, string>>
  readonly readStories: () => readonly Story[]
}

const folder = new URL('../../pipelines/', import.meta.url)
// By address, because the scripts are plain JavaScript without declarations.
const zh = (await import(new URL('support-zh/make.mjs', folder).href)) as DirtyMaker
const en = (await import(new URL('faq-en/make.mjs', folder).href)) as Maker
const news = (await import(new URL('summarise-en/make.mjs', folder).href)) as NewsMaker
/** A story is a subject, too: its articles are wordings that all have one summary. */
const stories: Maker = {
  make: news.make,
  readSubjects: () =>
    news.readStories().map(({ id, summary, articles, chronicle }) => ({
      id,
      answer: summary,
      questions: articles,
      handbook: chronicle,
    })),
}
const examples = [
  { name: 'support-zh', maker: zh, subjects: 120, perSubject: 7, corpus: 'handbook.txt' },
  { name: 'faq-en', maker: en, subjects: 40, perSubject: 7, corpus: 'handbook.txt' },
  { name: 'summarise-en', maker: stories, subjects: 60, perSubject: 8, corpus: 'town.txt' },
]

const committed = (path: string): string => readFileSync(new URL(path, folder), 'utf8')
const pairKey = (row: Row): string => JSON.stringify([row.prompt, row.response])
const realRows = (subjects: readonly Subject[]): Row[] =>
  subjects.flatMap((subject) => subject.questions.map((prompt) => ({ prompt, response: subject.answer })))

function ngrams(text: string, lengths: readonly number[]): string[] {
  const characters = [...text.toLowerCase()]
  return lengths.flatMap((n) =>
    characters
      .slice(0, Math.max(0, characters.length - n + 1))
      .map((_, i) => characters.slice(i, i + n).join('')),
  )
}

/** Mean Jaccard overlap of character 3-grams over all pairs of a subject's questions. */
function meanOverlap(questions: readonly string[]): number {
  const sets = questions.map((question) => new Set(ngrams(question, [3])))
  const overlaps = sets.flatMap((a, i) =>
    sets.slice(i + 1).map((b) => {
      const shared = [...a].filter((gram) => b.has(gram)).length
      return shared / (a.size + b.size - shared)
    }),
  )
  return overlaps.reduce((sum, overlap) => sum + overlap, 0) / overlaps.length
}

/** Each question is left out in one of so many folds. */
const FOLDS = 7

/** FNV-1a: a division that depends on the wording only, like the one of the `split` stage but not the same. */
function foldOf(prompt: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(prompt)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash % FOLDS
}

/** How many of one fold's questions have, as TF-IDF neighbour in the other folds, one with the same answer. */
function neighbourHits(rows: readonly Row[], held: number): { asked: number; right: number } {
  const train = rows.filter((row) => foldOf(row.prompt) !== held)
  const asked = rows.filter((row) => foldOf(row.prompt) === held)
  const rarity = new Map<string, number>()
  for (const row of train) {
    for (const gram of new Set(ngrams(row.prompt, [1, 2, 3]))) rarity.set(gram, (rarity.get(gram) ?? 0) + 1)
  }
  const vector = (text: string): Map<string, number> => {
    const weights = new Map<string, number>()
    for (const gram of ngrams(text, [1, 2, 3])) {
      const seen = rarity.get(gram)
      if (seen !== undefined) weights.set(gram, (weights.get(gram) ?? 0) + Math.log(train.length / seen) + 1)
    }
    const length = Math.hypot(...weights.values())
    return new Map([...weights].map(([gram, weight]) => [gram, weight / length]))
  }
  const known = train.map((row) => ({ response: row.response, vector: vector(row.prompt) }))
  const right = asked.filter((row) => {
    const query = vector(row.prompt)
    let best = { response: '', similarity: -1 }
    for (const candidate of known) {
      let similarity = 0
      for (const [gram, weight] of query) similarity += weight * (candidate.vector.get(gram) ?? 0)
      if (similarity > best.similarity) best = { response: candidate.response, similarity }
    }
    return best.response === row.response
  })
  return { asked: asked.length, right: right.length }
}

test.each(examples)('$name: the script writes the committed files byte for byte', ({ name, maker }) => {
  const texts = Object.entries(maker.make())
  expect(texts.length).toBe(2)
  for (const [file, text] of texts) expect(text === committed(`${name}/${file}`), file).toBe(true)
})

test.each(examples)('$name: questions of one subject are worded differently', (example) => {
  const subjects = example.maker.readSubjects()
  expect(subjects.length).toBe(example.subjects)
  const questions = subjects.flatMap((subject) => subject.questions)
  expect(new Set(questions).size).toBe(example.subjects * example.perSubject)
  const overlaps = subjects.map((subject) => meanOverlap(subject.questions))
  console.info(
    `${example.name}: 3-gram overlap, mean ${mean(overlaps).toFixed(3)}, worst subject ${Math.max(...overlaps).toFixed(3)}, ${overlaps.length} subjects`,
  )
  expect(Math.max(...overlaps)).toBeLessThanOrEqual(0.5)
})

// The news has its own test of this, on the rows of its own split.
test.each(examples.filter(({ name }) => name !== 'summarise-en'))(
  '$name: wording alone finds the subject of at least half of the held-out questions',
  (example) => {
    const rows = realRows(example.maker.readSubjects())
    const folds = Array.from({ length: FOLDS }, (_, held) => neighbourHits(rows, held))
    const asked = sum(folds.map((part) => part.asked))
    const right = sum(folds.map((part) => part.right))
    console.info(`${example.name}: neighbour right for ${right} of ${asked} held-out questions`)
    expect(asked).toBe(example.subjects * example.perSubject)
    expect(right / asked).toBeGreaterThanOrEqual(0.5)
  },
)

test.each(examples)('$name: the corpus holds every paragraph, and no question or answer', (example) => {
  const handbook = committed(`${example.name}/${example.corpus}`)
  const subjects = example.maker.readSubjects()
  const leaked = subjects.flatMap((subject) =>
    [subject.answer, ...subject.questions].filter((text) => handbook.includes(text)),
  )
  expect(leaked).toEqual([])
  expect(subjects.filter((subject) => !handbook.includes(subject.handbook))).toEqual([])
})

test('support-zh: every kind of damage is there as often as announced, and repair gives all 840 rows back', () => {
  const real = realRows(zh.readSubjects())
  const { counts, restored } = examine(parseRows('support-zh/support.jsonl'), real)
  console.info('support-zh: rows by kind', counts)
  const { intact, ...damaged } = counts
  expect(damaged).toEqual({ ...zh.DIRT.inPlace, ...zh.DIRT.added })
  expect(intact).toBe(840 - sum(Object.values(zh.DIRT.inPlace)))
  expect(restored).toEqual(new Set(real.map(pairKey)))
  expect(restored.size).toBe(840)
})

test('support-zh: the pipeline file corrects exactly the terms and prefixes that the script damaged', () => {
  const file = parse(committed('support-zh.pipeline.yaml')) as {
    stages: { clean: { with: { terms: object; strip_prefixes: string[] } } }
  }
  const clean = file.stages.clean.with
  expect(clean.terms).toEqual(zh.WRONG_TERMS)
  expect(clean.strip_prefixes).toEqual(zh.PREFIXES)
  const text = JSON.stringify(zh.readSubjects())
  for (const wrong of Object.keys(zh.WRONG_TERMS)) expect(text).not.toContain(wrong)
})

function parseRows(path: string): Row[] {
  return committed(path)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Row)
}

/** Names the damage of each row by undoing it; throws on a row that nothing explains. */
function examine(rows: readonly Row[], real: readonly Row[]) {
  const known = new Set(real.map(pairKey))
  const folded = new Map(real.map((row) => [pairKey(mapRow(row, fold)), row]))
  const garbled = new Map(real.map((row) => [utf8AsGbk(row.prompt), row]))
  const old = new Set(Object.values(zh.OLD_ANSWERS))
  const counts: Record<string, number> = {}
  const restored = new Set<string>()
  const seen = new Set<string>()

  const name = (row: Row): [kind: string, repaired: Row | null] => {
    if (row.prompt.trim() === '' || row.response.trim() === '') return ['blank', null]
    if (row.response.includes('\uFFFD')) return ['lossy', null]
    if (old.has(row.response)) return ['conflict', null]
    if (seen.has(pairKey(row))) return ['duplicate', null]
    seen.add(pairKey(row))
    if (known.has(pairKey(row))) return ['intact', row]
    const repairs: [string, Row | undefined][] = [
      ['control', mapRow(row, (text) => text.replace(/[\u0000-\u001f]/g, ''))],
      ['prefix', mapRow(row, withoutPrefix)],
      ['term', mapRow(row, withRightTerms)],
      ['utf8AsLatin1', mapRow(row, (text) => new TextDecoder('utf-8').decode(Buffer.from(text, 'latin1')))],
      ['gbkAsLatin1', mapRow(row, (text) => new TextDecoder('gbk').decode(Buffer.from(text, 'latin1')))],
      ['punctuation', folded.get(pairKey(mapRow(row, fold)))],
      ['utf8AsGbk', garbled.get(row.prompt)],
    ]
    for (const [kind, repaired] of repairs) {
      if (repaired !== undefined && known.has(pairKey(repaired))) return [kind, repaired]
    }
    throw new Error(`no repair explains ${JSON.stringify(row)}`)
  }

  for (const row of rows) {
    const [kind, repaired] = name(row)
    counts[kind] = (counts[kind] ?? 0) + 1
    if (repaired !== null) restored.add(pairKey(repaired))
  }
  return { counts, restored }
}

function mapRow(row: Row, change: (text: string) => string): Row {
  return { prompt: change(row.prompt), response: change(row.response) }
}

function withoutPrefix(text: string): string {
  const prefix = zh.PREFIXES.find((candidate) => text.startsWith(candidate))
  return prefix === undefined ? text : text.slice(prefix.length)
}

function withRightTerms(text: string): string {
  return Object.entries(zh.WRONG_TERMS).reduce(
    (result, [wrong, right]) => result.replaceAll(wrong, right),
    text,
  )
}

/** Full and half width made one, so that rows that differ in nothing else are equal. */
function fold(text: string): string {
  return text.normalize('NFKC')
}

function utf8AsGbk(text: string): string {
  return new TextDecoder('gbk').decode(Buffer.from(text, 'utf8'))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function mean(numbers: readonly number[]): number {
  return sum(numbers) / numbers.length
}
