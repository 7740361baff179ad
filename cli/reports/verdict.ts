/** A gate's verdict in words: every check with its operands. */
import { explainCheck } from '../../dsl/explain-check.ts'
import type { Explanation, Part } from '../../dsl/explain-check.ts'
import type { JudgedCheck, Operand, Verdict } from '../../dsl/judge.ts'
import type { Check, Stage } from '../../dsl/pipeline.ts'
import { positionOf, WHAT_IF } from '../../dsl/source.ts'
import type { Paint } from './style.ts'
import { number, pad, width } from './style.ts'

const WIDEST_TEXT = 64

export function verdictText(stage: Stage, verdict: Verdict, paint: Paint): string {
  const color = verdict.verdict === 'pass' ? 'green' : verdict.verdict === 'fail' ? 'red' : 'yellow'
  const gate = stage.gate
  const judged =
    gate === null
      ? ''
      : `   judged: ${gate.judged}${gate.baseline === null ? '' : `, yardstick: ${gate.baseline}`}`
  const head = `${stage.name}   ${paint(['bold', color], verdict.verdict.toUpperCase())}${paint('dim', judged)}`
  return [head, '', ...checkLines(gate?.checks ?? [], verdict.checks, paint)].join('\n')
}

/** One line a check, aligned; below it what else there is to know. */
export function checkLines(
  checks: readonly Check[],
  verdicts: readonly JudgedCheck[],
  paint: Paint,
): readonly string[] {
  const rows = verdicts.map((judged, index) => {
    const check = checks[index]
    const explanation: Explanation = check === undefined ? { type: 'operands' } : explainCheck(check, judged)
    return { judged, check, explanation }
  })
  const wide = Math.min(WIDEST_TEXT, Math.max(0, ...verdicts.map((check) => width(check.text)))) + 3
  const sideTexts = rows.flatMap(({ explanation }) =>
    explanation.type === 'sides' ? [distinctTexts(explanation.value, explanation.limit)] : [],
  )
  const left = Math.max(0, ...sideTexts.map(([value]) => width(value)))
  const right = Math.max(0, ...sideTexts.map(([, limit]) => width(limit)))
  return rows.flatMap(({ judged, check, explanation }) => {
    const drawn = explanation.type === 'parts' && judged.outcome !== 'pass'
    const [value, limit] =
      explanation.type === 'sides' ? distinctTexts(explanation.value, explanation.limit) : ['', '']
    const sides =
      explanation.type === 'sides'
        ? `${value.padStart(left)}  ${explanation.sign}  ${pad(limit, right)}`
        : drawn
          ? ''
          : judged.operands.map(operandText).join(', ')
    const more = [extraText(judged, explanation), judged.name ?? ''].filter((text) => text !== '').join('   ')
    const place = check === undefined || judged.outcome === 'pass' ? '' : `   ${placeText(check)}`
    const line = `  ${markOf(judged, paint)} ${pad(judged.text, wide)}${sides}${paint('dim', `${more === '' ? '' : `   ${more}`}${place}`)}`
    return [
      line.trimEnd(),
      ...(drawn
        ? drawParts(inColumns(explanation.parts, judged.text)).map((each) => `    ${paint('dim', each)}`)
        : []),
      ...(judged.reason === null ? [] : [`      ${paint('dim', `${judged.reason}${codeText(judged)}`)}`]),
      ...(judged.why === null || judged.outcome === 'pass'
        ? []
        : [`      ${paint('dim', `why: ${judged.why}`)}`]),
    ]
  })
}

/** A check's outcome as one sentence without colours: `0.317 < 0.325 (main.bleu 0.332), short by 0.008 (2.5 %)`. */
export function outcomeText(check: Check | undefined, judged: JudgedCheck): string {
  if (judged.outcome === 'unknown') return judged.reason ?? 'it is not known'
  const explanation: Explanation = check === undefined ? { type: 'operands' } : explainCheck(check, judged)
  const [value, limit] =
    explanation.type === 'sides' ? distinctTexts(explanation.value, explanation.limit) : ['', '']
  const sides =
    explanation.type === 'sides'
      ? `${value} ${explanation.sign} ${limit}`
      : judged.operands.map(operandText).join(', ')
  const more = extraText(judged, explanation, false)
  return more === '' ? sides : `${sides}${more.startsWith('(') ? ' ' : ', '}${more}`
}

/** What `sluice explain` takes. */
function codeText({ code }: JudgedCheck): string {
  return code == null ? '' : `   (${code})`
}

/** `pipelines/x.pipeline.yaml:46`. */
export function placeText({ span }: Check): string {
  const { path } = span.source
  return path === WHAT_IF ? path : `${path}:${String(positionOf(span.source, span.start).line)}`
}

/** What the limit was made of, by how much it was missed, and that a warning does not block. */
function extraText(judged: JudgedCheck, explanation: Explanation, aligned = true): string {
  const shown = explanation.type === 'sides' ? [explanation.value, explanation.limit] : []
  const made =
    explanation.type === 'sides'
      ? judged.operands.filter(({ value }) => typeof value !== 'number' || !shown.includes(value))
      : []
  const short =
    judged.outcome === 'fail' && judged.margin !== null ? shortText(judged.margin, explanation) : ''
  const warning = judged.level === 'warn' && judged.outcome !== 'pass' ? 'warning' : ''
  const operands = made.length === 0 ? '' : `(${made.map(operandText).join(', ')})`
  return [operands, short, testText(judged), warning]
    .filter((text) => text !== '')
    .join(aligned ? '   ' : ', ')
}

/** `p = 0.019, 118 paired rows, could see 0.026`. */
function testText({ significance }: JudgedCheck): string {
  if (significance === null) return ''
  const { p, rows, detectable } = significance
  const seen = detectable === null ? '' : `, could see ${number(detectable)}`
  return `p = ${number(p)}, ${String(rows)} rows drawn again${seen}`
}

/** Two numbers as people read them, with as many digits as it takes to see that they differ. */
export function distinctTexts(a: number, b: number): readonly [string, string] {
  const texts = [number(a), number(b)] as const
  if (a === b || texts[0] !== texts[1]) return texts
  for (const digits of [6, 9, 12]) {
    const [x, y] = [a.toPrecision(digits), b.toPrecision(digits)]
    if (x !== y) return [x, y]
  }
  return [String(a), String(b)]
}

/** Offsets in a text as columns of a terminal, where a Chinese letter takes two. */
function inColumns(parts: readonly Part[], text: string): readonly Part[] {
  return parts.map(({ at, value }) => ({ at: width(text.slice(0, at)), value }))
}

/** Two digits, and no exponent. */
function percent(share: number): string {
  return share >= 10 ? share.toFixed(0) : share.toPrecision(2)
}

/** A limit that must not be reached is missed by nothing at all. */
function shortText(margin: number, explanation: Explanation): string {
  const size = Math.abs(margin)
  if (size === 0) return 'equal is not enough'
  const limit = explanation.type === 'sides' ? Math.abs(explanation.limit) : 0
  const share = limit === 0 || size > 10 * limit ? '' : ` (${percent((100 * size) / limit)} %)`
  return `short by ${number(size)}${share}`
}

function operandText({ text, value }: Operand): string {
  return `${text} ${valueText(value)}`
}

/**
 * Every value under its part of the text, as in a power assertion: bars for all, then from the right as many values a
 * line as have room.
 */
export function drawParts(parts: readonly Part[]): readonly string[] {
  const bars = (below: readonly Part[]) => {
    let line = ''
    for (const { at } of below) line = `${line.padEnd(at)}│`
    return line
  }
  const lines = [bars(parts)]
  let waiting = [...parts]
  while (waiting.length > 0) {
    const placed: Part[] = []
    let free = Infinity
    for (const part of [...waiting].reverse()) {
      const text = valueText(part.value)
      const fits = part.at + text.length < free
      if (fits) placed.push(part)
      free = part.at
    }
    waiting = waiting.filter((part) => !placed.includes(part))
    let line = ''
    for (const part of [...placed, ...waiting].sort((a, b) => a.at - b.at))
      line = `${line.padEnd(part.at)}${placed.includes(part) ? valueText(part.value) : '│'}`
    lines.push(line)
  }
  return lines
}

function markOf(check: JudgedCheck, paint: Paint): string {
  if (check.outcome === 'pass') return paint('green', '✓')
  if (check.outcome === 'unknown') return paint('yellow', '?')
  return check.level === 'warn' ? paint('yellow', '!') : paint('red', '✗')
}

function valueText(value: number | boolean | null): string {
  return typeof value === 'boolean' ? String(value) : number(value)
}
