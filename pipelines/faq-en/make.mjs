/**
 * Makes the English example's two input files from the hand-written subjects next to this script:
 *
 *   faq.jsonl      280 questions to the help desk of a made-up county library, in random order, without damage
 *   handbook.txt   the library's staff handbook, plain text, on which the small base model is pretrained
 *
 * Run it with `node pipelines/faq-en/make.mjs`. It draws from a fixed seed, so it always writes the same bytes.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { seededRandom, shuffled } from '../seeded.mjs'

/** @typedef {{ id: string, answer: string, questions: string[], handbook: string }} Subject */

const SEED = 20250102

/** @returns {Subject[]} */
export function readSubjects() {
  return JSON.parse(readFileSync(new URL('subjects.json', import.meta.url), 'utf8'))
}

/** The texts of both files; the same on every call. */
export function make() {
  const subjects = readSubjects()
  const rows = subjects.flatMap((subject) =>
    subject.questions.map((prompt) => ({ prompt, response: subject.answer })),
  )
  const lines = shuffled(rows, seededRandom(SEED)).map((row) => JSON.stringify(row) + '\n')
  const chapters = JSON.parse(readFileSync(new URL('chapters.json', import.meta.url), 'utf8'))
  const paragraphs = [...chapters, ...subjects.map((subject) => subject.handbook)]
  return { 'faq.jsonl': lines.join(''), 'handbook.txt': paragraphs.join('\n\n') + '\n' }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [file, text] of Object.entries(make())) {
    writeFileSync(new URL(file, import.meta.url), text)
    process.stdout.write(`${file}: ${Buffer.byteLength(text)} bytes\n`)
  }
}
