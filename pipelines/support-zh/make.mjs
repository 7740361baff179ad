/**
 * Makes the Chinese demo's two input files from the hand-written subjects next to this script:
 *
 *   support.jsonl   what an export from a help-desk system looks like: 840 real question/answer rows in random
 *                   order, some of them damaged, and rows that should not be there at all
 *   handbook.txt    the staff handbook, plain text, on which the small base model is pretrained
 *
 * Run it with `node pipelines/support-zh/make.mjs`. It draws from a fixed seed, so it always writes the same bytes.
 * Damage comes in two sorts. Rows damaged *in place* can be repaired, and then all 840 real rows are back.
 * Rows *added* (copies, blanks, unreadable text, outdated answers) have to go. No row is damaged twice.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { seededRandom, shuffled } from '../seeded.mjs'

/** @typedef {{ id: string, answer: string, questions: string[], handbook: string }} Subject */
/** @typedef {{ prompt: string, response: string }} Row */

const SEED = 20250101

/** How many rows of each kind of damage. The test counts them again in the committed file. */
export const DIRT = {
  inPlace: {
    prefix: 30,
    term: 20,
    punctuation: 40,
    control: 8,
    utf8AsGbk: 25,
    utf8AsLatin1: 8,
    gbkAsLatin1: 7,
  },
  added: { duplicate: 40, blank: 15, lossy: 5, conflict: 4 },
}

export const PREFIXES = ['用户问：', '客户：', 'Q:']

/** Typing mistakes, wrong -> right. None of the wrong forms occurs in the subjects. */
export const WRONG_TERMS = {
  社宝卡: '社保卡',
  养老宝险: '养老保险',
  医宝: '医保',
  生育津帖: '生育津贴',
  失业今: '失业金',
}

/** Answers that were right once and that nobody removed: subject -> the old answer to its first question. */
export const OLD_ANSWERS = {
  'pension-min-years': '累计缴费满十五年，到退休年龄就可以按月领取养老金，年限要求没有变化。',
  'delayed-retirement-age': '男职工年满六十周岁退休，女干部五十五周岁，女工人五十周岁。',
  'medical-outpatient-pooling': '普通门诊费用统筹基金不报销，请用医保个人账户或现金支付。',
  'personal-pension-open': '个人养老金只在三十六个先行城市试点，其他城市的居民暂时不能开户。',
}

/** Chapters of the handbook: title, first subject, last subject (in the order of the subject files). */
const CHAPTERS = [
  ['第一章　参保登记与缴费', 'enroll-company-account', 'info-change'],
  ['第二章　养老保险', 'pension-min-years', 'pension-bank-card-change'],
  ['第三章　医疗保险', 'medical-outpatient-pooling', 'medical-card-lending'],
  ['第四章　生育保险', 'maternity-checkup', 'maternity-ivf'],
  ['第五章　失业保险', 'unemployment-benefit-conditions', 'unemployment-benefit-apply'],
  ['第六章　工伤保险', 'injury-recognition-deadline', 'injury-platform-workers'],
  ['第七章　社保卡与办事服务', 'card-apply', 'proxy-handling'],
]

/** @returns {Subject[]} */
export function readSubjects() {
  return [1, 2, 3].flatMap((part) =>
    JSON.parse(readFileSync(new URL(`subjects-${part}.json`, import.meta.url), 'utf8')),
  )
}

/** The texts of both files; the same on every call. */
export function make() {
  const subjects = readSubjects()
  return { 'support.jsonl': exportText(subjects), 'handbook.txt': handbookText(subjects) }
}

/** @param {Subject[]} subjects */
function exportText(subjects) {
  const random = seededRandom(SEED)
  const real = subjects.flatMap((subject) =>
    subject.questions.map((prompt) => ({ prompt, response: subject.answer })),
  )
  const conflicts = Object.entries(OLD_ANSWERS).map(([id, response]) => {
    const subject = subjects.find((candidate) => candidate.id === id)
    return { prompt: subject.questions[0], response }
  })

  // Rows that have an outdated twin stay intact, so that the two are seen to contradict each other.
  const contested = new Set(conflicts.map((row) => row.prompt))
  const untouched = shuffled(
    real.filter((row) => !contested.has(row.prompt)),
    random,
  )
  const rows = new Map(real.map((row) => [row, row]))
  for (const [kind, count] of Object.entries(DIRT.inPlace)) {
    for (let done = 0; done < count; done++) {
      const row = takeFirst(untouched, (candidate) => DAMAGE[kind](candidate, done) !== null)
      rows.set(row, DAMAGE[kind](row, done))
    }
  }

  const added = [...conflicts]
  for (let i = 0; i < DIRT.added.duplicate; i++) added.push(untouched[i])
  for (let i = 0; i < DIRT.added.blank; i++) added.push(blanked(untouched[100 + i], i))
  const unreadable = untouched
    .slice(200)
    .map(lossy)
    .filter((row) => row !== null)
  added.push(...unreadable.slice(0, DIRT.added.lossy))

  return shuffled([...rows.values(), ...added], random)
    .map((row) => JSON.stringify(row) + '\n')
    .join('')
}

/** @param {Subject[]} subjects */
function handbookText(subjects) {
  const at = (id) => subjects.findIndex((subject) => subject.id === id)
  const paragraphs = CHAPTERS.flatMap(([title, first, last]) => [
    title,
    ...subjects.slice(at(first), at(last) + 1).map((subject) => subject.handbook),
  ])
  if (paragraphs.length !== subjects.length + CHAPTERS.length)
    throw new Error('a subject is in no chapter or in two')
  return paragraphs.join('\n\n') + '\n'
}

/** Removes and returns the first item that passes. */
function takeFirst(items, passes) {
  const index = items.findIndex(passes)
  if (index < 0) throw new Error('not enough rows of this kind')
  return items.splice(index, 1)[0]
}

/**
 * One function per repairable kind: the damaged row, or null where this row does not lend itself to it.
 * `turn` counts up within a kind, so that variants take turns.
 * @type {Record<string, (row: Row, turn: number) => Row | null>}
 */
const DAMAGE = {
  prefix: (row, turn) => ({ ...row, prompt: PREFIXES[turn % PREFIXES.length] + row.prompt }),

  term(row, turn) {
    const [wrong, right] = Object.entries(WRONG_TERMS)[turn % Object.keys(WRONG_TERMS).length]
    return changed(row, (text) => text.replaceAll(right, wrong))
  },

  punctuation: (row, turn) =>
    turn % 4 !== 3
      ? changed(row, (text) => text.replace(/[，：；？！（）]/g, (sign) => shifted(sign, -0xfee0)))
      : changed(row, (text) => text.replace(/[0-9]/g, (digit) => shifted(digit, 0xfee0))),

  control(row, turn) {
    const sign = ['\u0000', '\u0008', '\u000b', '\u001f'][turn % 4]
    const middle = Math.floor(row.response.length / 2)
    return { ...row, response: row.response.slice(0, middle) + sign + row.response.slice(middle) }
  },

  // Only questions: a Chinese full stop is E3 80 82 in UTF-8, and read as GBK its last byte is always lost, so an
  // answer can never be repaired. See `lossy`.
  utf8AsGbk(row) {
    const prompt = readAsGbk(Buffer.from(row.prompt, 'utf8'))
    return prompt === null ? null : { ...row, prompt }
  },
  utf8AsLatin1: (row) => bothFields(row, (text) => Buffer.from(text, 'utf8').toString('latin1')),
  gbkAsLatin1: (row) => bothFields(row, (text) => gbkBytes(text)?.toString('latin1') ?? null),
}

/** The row with both texts changed, or null where nothing changed. */
function changed(row, change) {
  const result = { prompt: change(row.prompt), response: change(row.response) }
  return result.prompt === row.prompt && result.response === row.response ? null : result
}

function bothFields(row, change) {
  const prompt = change(row.prompt)
  const response = change(row.response)
  return prompt === null || response === null ? null : { prompt, response }
}

function shifted(sign, distance) {
  return String.fromCharCode(sign.charCodeAt(0) + distance)
}

/** A row that lost its question or its answer: empty, spaces, or a full-width space. */
function blanked(row, turn) {
  const nothing = ['', '  ', '　', '\n', ''][turn % 5]
  return turn % 2 === 0 ? { ...row, response: nothing } : { ...row, prompt: nothing }
}

/** A row whose UTF-8 bytes were read as GBK with replacement characters: what was there cannot be known again. */
function lossy(row) {
  const damage = (text) => new TextDecoder('gbk').decode(Buffer.from(text, 'utf8'))
  const response = damage(row.response)
  return response.includes('\uFFFD') ? { prompt: damage(row.prompt), response } : null
}

/** Bytes read as GBK, or null where the way back does not give the same bytes (then nobody could repair it). */
function readAsGbk(bytes) {
  try {
    const text = new TextDecoder('gbk', { fatal: true }).decode(bytes)
    return gbkBytes(text)?.equals(bytes) ? text : null
  } catch {
    return null
  }
}

/** The GBK bytes of a text, or null where a character has none. */
function gbkBytes(text) {
  const bytes = []
  for (const character of text) {
    const pair = character < '\u0080' ? [character.charCodeAt(0)] : GBK.get(character)
    if (pair === undefined) return null
    bytes.push(...pair)
  }
  return Buffer.from(bytes)
}

/**
 * Character -> its two GBK bytes. Node can only decode GBK, so the table is read off the decoder.
 * Private-use characters are left out: decoders disagree about them.
 */
const GBK = new Map()
for (let lead = 0x81; lead <= 0xfe; lead++) {
  for (let trail = 0x40; trail <= 0xfe; trail++) {
    const text = new TextDecoder('gbk').decode(Uint8Array.of(lead, trail))
    if (text.length === 1 && !/[\uE000-\uF8FF\uFFFD]/.test(text) && !GBK.has(text))
      GBK.set(text, [lead, trail])
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [file, text] of Object.entries(make())) {
    writeFileSync(new URL(file, import.meta.url), text)
    process.stdout.write(`${file}: ${Buffer.byteLength(text)} bytes\n`)
  }
}
