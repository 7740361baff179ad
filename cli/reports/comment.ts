/** The comment under a pull request: verdict, checks, what changed against main, the answers that got worse. */
import type { RowChange } from '../../engine/run/rows.ts'
import type { JudgedGate } from '../judging.ts'
import { changeText, sorted, valueText } from './diff.ts'
import type { Diff } from './diff.ts'
import { markOf } from './github.ts'
import { code, inline, shortened, table } from './markdown.ts'
import { painter } from './style.ts'
import { distinctTexts, outcomeText } from './verdict.ts'

export interface CommentFacts {
  readonly pipeline: string
  /** What the file says that it is for. */
  readonly description: string | null
  readonly verdict: 'pass' | 'fail' | 'undecided'
  readonly gates: readonly JudgedGate[]
  /** What would settle an undecided gate. */
  readonly help: readonly string[]
  /** Against main, or why there is nothing to compare with. */
  readonly diff: Diff | { readonly missing: string }
  readonly provenance: Provenance
}

export interface Provenance {
  /** Stage -> key. */
  readonly keys: Readonly<Record<string, string>>
  /** Library -> version. */
  readonly versions: Readonly<Record<string, string>>
  /** The run that reached the verdict, as the lock has it. */
  readonly run: string | null
  /** To make it again. */
  readonly command: string
}

/** GitHub takes comments of 65 536 characters; a little is left for who puts a line of their own around it. */
export const MOST_CHARACTERS = 65_000
const MOST_WORSE = 5
const MOST_ROWS_OF_A_TABLE = 60
const LONGEST_ANSWER = 600
const LONGEST_CELL = 300

/** The same facts give the same text: no clock, no machine. */
export function commentText(facts: CommentFacts): string {
  const { pipeline, verdict } = facts
  const mark = { pass: '✅', fail: '❌', undecided: '❓' }[verdict]
  const sections = [
    // By this line a script finds its earlier comment and replaces it.
    `<!-- sluice ${pipeline} -->\n## ${mark} ${inline(pipeline)}: ${verdict.toUpperCase()}`,
    ...(facts.description === null ? [] : [inline(shortened(facts.description, LONGEST_CELL))]),
    ...facts.gates.map(gateSection),
    ...(facts.help.length === 0 ? [] : [facts.help.map((line) => `> ${inline(line)}`).join('\n')]),
    ...('missing' in facts.diff
      ? [`### Against main\n\n${inline(facts.diff.missing)}`]
      : [metricsSection(facts.diff), changesSection(facts.diff), answersSection(facts.diff)]),
    provenanceSection(facts.provenance),
  ]
  return fitting(sections.filter((section) => section !== ''))
}

/** Whole sections from the top; the longest are last, so what is left out is what matters least. */
function fitting(sections: readonly string[]): string {
  const note =
    '*More did not fit into a comment: `npx sluice report --md` prints the same, `npx sluice diff main` all of it.*'
  let text = ''
  for (const section of sections) {
    const longer = text === '' ? section : `${text}\n\n${section}`
    if (longer.length + note.length + 3 > MOST_CHARACTERS) return `${text}\n\n${note}\n`
    text = longer
  }
  return `${text}\n`
}

function gateSection({ stage, verdict, rulers }: JudgedGate): string {
  const { gate } = stage
  const rows = verdict.checks.slice(0, MOST_ROWS_OF_A_TABLE).map((judged, index) => {
    const why = judged.why === null || judged.outcome === 'pass' ? '' : `; why: ${judged.why}`
    return [
      markOf(judged),
      code(shortened(judged.text, LONGEST_CELL)) + (judged.name === null ? '' : ` ${inline(judged.name)}`),
      inline(shortened(`${outcomeText(gate?.checks[index], judged)}${why}`, LONGEST_CELL)),
    ]
  })
  const operands = new Map(
    verdict.checks.flatMap(({ operands: all }) =>
      all.map(({ text, source, value }) => [text, { source, value }] as const),
    ),
  )
  const sources = [...new Set([...operands.values()].map(({ source }) => source))].filter(
    (source) => source !== '',
  )
  const measured = sources.map((source) => {
    const ruler = rulers[source]
    return `${code(source)}${ruler === undefined ? '' : ` (ruler ${code(ruler.slice(0, 8))})`}`
  })
  const judged = gate === null ? '' : `Judged: ${code(gate.judged)}. Scores from ${measured.join(', ')}.`
  return `### ${inline(stage.name)}: ${verdict.verdict}\n\n${table(['', 'check', 'outcome'], rows)}\n\n${judged}`.trimEnd()
}

function metricsSection(diff: Diff): string {
  const { metrics } = diff.comparison
  if (metrics.length === 0) return ''
  const plain = painter(false)
  const rows = metrics.slice(0, MOST_ROWS_OF_A_TABLE).map((change) => {
    const { stage, metric, direction, before, after } = change
    const [old, young] =
      before === null || after === null
        ? [before === null ? '–' : String(before), after === null ? '–' : String(after)]
        : distinctTexts(before, after)
    const sign = change.change === 'worse' ? '🔴 ' : change.change === 'better' ? '🟢 ' : ''
    return [
      `${inline(stage)} ${inline(metric)} ${direction === 'lower' ? '↓' : '↑'}`,
      old,
      young,
      `${sign}${inline(changeText(change, diff, plain))}`,
    ]
  })
  return `### Against ${inline(diff.before)}\n\n${table(['metric', inline(diff.before), inline(diff.after), 'change'], rows)}`
}

function changesSection({ comparison, before, after }: Diff): string {
  const { settings, sources, rows, code: changed } = comparison
  const lines = [
    ...settings.map(({ name, before: old, after: young }) => [
      code(name),
      code(valueText(old)),
      code(valueText(young)),
    ]),
    ...sources.map((name) => [code(`sources.${name}`), '', 'other content']),
    ...rows.map(({ name, before: old, after: young }) => [
      `rows of ${code(name)}`,
      String(old ?? '–'),
      String(young ?? '–'),
    ]),
    ...changed.map((stage) => [`code of ${code(stage)}`, '', 'differs']),
  ]
  if (lines.length === 0) return '### Settings\n\nThe same settings, sources and code as main.'
  const shown = lines.slice(0, MOST_ROWS_OF_A_TABLE)
  const rest = lines.length - shown.length
  const more = rest === 0 ? '' : `\n\n${String(rest)} more: ${code('npx sluice diff main')}`
  return `### What changed\n\n${table(['', inline(before), inline(after)], shown)}${more}`
}

function answersSection(diff: Diff): string {
  if ('missing' in diff.rows) return `### Answers\n\n${inline(diff.rows.missing)}`
  const { worse, better, same } = sorted(diff.rows)
  const counts = `By ${code(diff.rows.metric)}: ${String(same.length)} the same, ${String(better.length)} better, ${String(worse.length)} worse.`
  if (worse.length === 0) return `### Answers\n\n${counts}`
  const shown = worse.slice(0, MOST_WORSE)
  const title = shown.length === worse.length ? 'that got worse' : 'that got worse the most'
  const metric = diff.rows.metric
  return [
    `### The ${shown.length === 1 ? 'answer' : `${String(shown.length)} answers`} ${title}`,
    counts,
    ...shown.map((row) => answerDetails(row, metric, diff)),
  ].join('\n\n')
}

function answerDetails(row: RowChange, metric: string, { before, after }: Diff): string {
  const [old, young] = distinctTexts(row.before, row.after)
  const text = (words: string | null) =>
    words === null ? '*not in the store*' : code(shortened(words, LONGEST_ANSWER))
  const lines = [
    ['prompt', text(row.prompt)],
    ['wanted', text(row.reference)],
    [inline(before), text(row.answers.before)],
    [inline(after), text(row.answers.after)],
  ]
  const head = `row ${String(row.row)}: ${metric} ${old} → ${young}`
  return `<details open><summary>${head}</summary>\n\n${table(['', ''], lines)}\n\n</details>`
}

function provenanceSection({ keys, versions, run, command }: Provenance): string {
  const libraries = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const rows = Object.entries(keys)
    .slice(0, MOST_ROWS_OF_A_TABLE)
    .map(([stage, key]) => [code(stage), code(key.replace(/^sha256:/, '').slice(0, 16))])
  const reached = run === null ? '' : `\n\nVerdict reached in run ${code(run)}.`
  return `<details><summary>Where this comes from, and how to make it again</summary>\n\n${code(command)}\n\n${libraries.map(inline).join(' · ')}${reached}\n\n${table(['stage', 'key'], rows)}\n\n</details>`
}
