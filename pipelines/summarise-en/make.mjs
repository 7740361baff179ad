/**
 * Makes the summariser's two input files from the hand-written stories next to this script:
 *
 *   news.jsonl   what an archive of a local newspaper looks like: 480 articles with their one-sentence summaries and
 *                the section they were printed in, and 22 rows more that should not be there
 *   town.txt     a chronicle of the same made-up town, plain text, on which the small base model is pretrained
 *
 * Run it with `node pipelines/summarise-en/make.mjs`. It draws from a fixed seed, so it always writes the same bytes.
 * No sentence is generated: the seed only decides the order of the rows and which of them occur twice.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { seededRandom, shuffled } from '../seeded.mjs'

/** @typedef {{ id: string, section: string, summary: string, articles: string[], chronicle: string }} Story */
/** @typedef {{ article: string, summary: string, section: string }} Row */

const SEED = 20250103

export const SECTIONS = ['council', 'schools', 'sport', 'arts', 'business', 'nature']

/** Rows that were added; each comes after all real ones. A misfiled copy names another section than the original. */
export const ADDED = { duplicate: 12, misfiled: 4, blank: 6 }

/** @returns {Story[]} */
export function readStories() {
  return SECTIONS.flatMap((section) =>
    JSON.parse(readFileSync(new URL(`stories-${section}.json`, import.meta.url), 'utf8')).map((story) => ({
      ...story,
      section,
    })),
  )
}

/** The texts of both files; the same on every call. */
export function make() {
  const stories = readStories()
  return { 'news.jsonl': newsText(stories), 'town.txt': townText(stories) }
}

/** @param {Story[]} stories */
function newsText(stories) {
  const random = seededRandom(SEED)
  const rows = stories.flatMap(({ section, summary, articles }) =>
    articles.map((article) => ({ article, summary, section })),
  )
  const twice = shuffled(rows, random)
  const take = (count) => twice.splice(0, count)
  const next = (section) => SECTIONS[(SECTIONS.indexOf(section) + 1) % SECTIONS.length]
  const added = [
    ...take(ADDED.duplicate),
    ...take(ADDED.misfiled).map((row) => ({ ...row, section: next(row.section) })),
    ...take(ADDED.blank).map((row) => ({ ...row, article: '' })),
  ]
  return [...shuffled(rows, random), ...shuffled(added, random)]
    .map((row) => JSON.stringify(row) + '\n')
    .join('')
}

/** @param {Story[]} stories */
function townText(stories) {
  const chapters = JSON.parse(readFileSync(new URL('chapters.json', import.meta.url), 'utf8'))
  return [...chapters, ...stories.map((story) => story.chronicle)].join('\n\n') + '\n'
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [file, text] of Object.entries(make())) {
    writeFileSync(new URL(file, import.meta.url), text)
    process.stdout.write(`${file}: ${Buffer.byteLength(text)} bytes\n`)
  }
}
