/** The last step of `eval`: turns losses and generated texts into metrics, with the ruler they were measured by. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bleuStats } from '../../../metrics/bleu.ts'
import { BLEU_TOKENIZERS, type BleuTokenizer } from '../../../metrics/bleu-tokenizers.ts'
import { isMetricName, METRICS, METRIC_NAMES, type MetricName, valueOf } from '../../../metrics/catalogue.ts'
import { exactMatch } from '../../../metrics/exact-match.ts'
import { neighbourSearch, type NeighbourRow } from '../../../metrics/neighbour.ts'
import { rougeL } from '../../../metrics/rouge-l.ts'
import { JobError, type Op, type OpContext } from '../../op.ts'
import type { JsonObject } from '../../protocol/json.ts'
import type { InputFiles } from '../../protocol/messages.ts'
import { checkedScores, type Score } from '../checked-scores.ts'
import { rulerDigest } from '../ruler.ts'
import { type DataRow, fieldTexts, sliceRows, sliceRuler, slicesJson } from '../slices.ts'

interface Settings {
  readonly metrics: readonly MetricName[]
  readonly tokenizer: BleuTokenizer
  readonly split: string
  readonly maxNewTokens: number
  /** Row fields by whose values the rows are measured apart, too. */
  readonly slices: readonly string[]
}

/** What a row's statistics are taken from; a part is absent if no metric needs it. */
interface Evidence {
  readonly reference: string
  readonly score?: Score
  readonly output?: string
  /** The training row that answers; `null` if none resembles the prompt. */
  readonly neighbour?: NeighbourRow | null
}

function settingsOf(options: JsonObject): Settings {
  const { metrics, bleu_tokenizer: tokenizer, split, max_new_tokens: maxNewTokens, slices } = options
  if (!Array.isArray(metrics) || metrics.length === 0) {
    throw new JobError('input', 'no metrics are asked for', `list at least one of ${METRIC_NAMES.join(', ')}`)
  }
  const names = metrics.map((name): MetricName => {
    if (typeof name === 'string' && isMetricName(name)) return name
    throw new JobError('input', `unknown metric ${JSON.stringify(name)}`, `known: ${METRIC_NAMES.join(', ')}`)
  })
  const known = BLEU_TOKENIZERS.find((name) => name === tokenizer)
  if (known === undefined) {
    throw new JobError(
      'input',
      `unknown bleu_tokenizer ${JSON.stringify(tokenizer)}`,
      `known: ${BLEU_TOKENIZERS.join(', ')}`,
    )
  }
  if (typeof split !== 'string' || typeof maxNewTokens !== 'number') {
    throw new TypeError('metrics: `split` must be a text and `max_new_tokens` a number')
  }
  const fields = Array.isArray(slices) ? slices.filter((field) => typeof field === 'string') : []
  return { metrics: [...new Set(names)], tokenizer: known, split, maxNewTokens, slices: fields }
}

/** Objects of a JSON-lines file. A line that is no object is an error that names file and line. */
async function readRows(input: InputFiles, file: string): Promise<readonly JsonObject[]> {
  const text = await readFile(join(input.dir, file), 'utf8')
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return []
    let row: unknown
    try {
      row = JSON.parse(line)
    } catch {
      row = null
    }
    if (typeof row === 'object' && row !== null && !Array.isArray(row)) return [row as JsonObject]
    throw new JobError('input', `${file}, line ${index + 1}: not a JSON object`)
  })
}

function requireInput(context: OpContext, role: string): InputFiles {
  const input = context.inputs[role]
  if (input === undefined) throw new Error(`metrics: the input \`${role}\` is missing`)
  return input
}

function requireText(row: JsonObject, field: string, file: string): string {
  const text = row[field]
  if (typeof text === 'string') return text
  throw new JobError('input', `${file}: row ${JSON.stringify(row['id'] ?? null)} has no text \`${field}\``)
}

async function readDataRows(
  tokens: InputFiles,
  split: string,
  slices: readonly string[],
): Promise<readonly DataRow[]> {
  const file = `${split}.jsonl`
  const rows = await readRows(tokens, file)
  return rows.map((row) => ({
    id: requireText(row, 'id', file),
    prompt: requireText(row, 'prompt', file),
    response: requireText(row, 'response', file),
    fields: fieldTexts(row, slices),
  }))
}

async function readSplit(tokens: InputFiles, { split, slices }: Settings): Promise<readonly DataRow[]> {
  const names = tokens.files.filter((file) => /^[^/]+\.jsonl$/u.test(file)).map((file) => file.slice(0, -6))
  if (!names.includes(split)) {
    throw new JobError(
      'input',
      `there is no split \`${split}\` to evaluate`,
      names.length === 0 ? 'the tokens have no splits at all' : `the tokens have: ${names.join(', ')}`,
    )
  }
  const rows = await readDataRows(tokens, split, slices)
  if (rows.length > 0) return rows
  throw new JobError(
    'input',
    `the split \`${split}\` is empty, so there is nothing to measure`,
    `give \`${split}\` a larger share in the split stage, or evaluate another split`,
  )
}

/** Rows that a step before us made for `wanted`; anything but the same rows in the same order is our bug. */
async function readAligned(input: InputFiles, file: string, wanted: readonly NeighbourRow[]) {
  const rows = await readRows(input, file)
  const stray = wanted.findIndex((row, index) => rows[index]?.['id'] !== row.id)
  if (stray >= 0 || rows.length !== wanted.length) {
    const at = stray >= 0 ? stray : wanted.length
    throw new Error(
      `metrics: ${file} has ${rows.length} rows for ${wanted.length} rows of the split; they first differ at row ` +
        `${at + 1} (${JSON.stringify(rows[at]?.['id'] ?? null)} for ${JSON.stringify(wanted[at]?.id ?? null)})`,
    )
  }
  return rows
}

/** The row's numbers for one metric, in the order of `METRICS[name].columns`; `null` if the evidence is absent. */
function statistics(name: MetricName, row: Evidence, tokenizer: BleuTokenizer): readonly number[] | null {
  const { reference, score, output, neighbour } = row
  const answer = neighbour === undefined ? undefined : (neighbour?.response ?? '')
  switch (name) {
    case 'perplexity':
      return score === undefined ? null : [score.nll, score.tokens]
    case 'bits_per_byte':
      return score === undefined ? null : [score.nll, score.bytes]
    case 'bleu':
      return output === undefined ? null : bleuStats(output, reference, tokenizer)
    case 'rouge_l':
      return output === undefined ? null : [rougeL(output, reference)]
    case 'exact_match':
      return output === undefined ? null : [exactMatch(output, reference)]
    case 'neighbour_bleu':
      return answer === undefined ? null : bleuStats(answer, reference, tokenizer)
    case 'neighbour_exact':
      return answer === undefined ? null : [exactMatch(answer, reference)]
  }
}

/** Why the look-up cannot be asked, or the search itself. */
async function openNeighbours(tokens: InputFiles, split: string) {
  if (split === 'train') return 'the split is the training data, where each row is its own neighbour'
  if (!tokens.files.includes('train.jsonl')) return 'there is no split `train` to look up'
  const rows = await readDataRows(tokens, 'train', [])
  return rows.length === 0 ? 'the split `train` is empty' : neighbourSearch(rows)
}

/** What of the tokens decides the value of a metric: other tokens or a shorter text are another quantity. */
async function tokenSettings(tokens: InputFiles, names: readonly MetricName[]): Promise<JsonObject> {
  if (!names.some((name) => METRICS[name].from === 'scores')) return {}
  const header = JSON.parse(await readFile(join(tokens.dir, 'tokens.json'), 'utf8')) as JsonObject
  const { tokenizer = null, max_length = null, loss_on = null } = header
  return { max_length, loss_on, ...(names.includes('perplexity') ? { tokenizer } : {}) }
}

/**
 * Measures one split.
 *
 * Inputs: `tokens` (always), `scores` (for perplexity and bits per byte), `samples` (for BLEU, ROUGE-L, exact
 * match). Output `metrics`: `metrics.json` with the ruler and every value, and `rows.jsonl` with each row's
 * statistics, `{id, fields?, neighbour?, statistics: {<metric>: [..]}}`, from which `valueOf` gives the same values.
 * With `slices`, metrics.json has the metrics of the rows of each value of these fields, too, and a row its `fields`.
 * A value that is not a finite number is written as null and explained by a note.
 */
export const run: Op = async (context) => {
  const settings = settingsOf(context.with)
  const { metrics: names, tokenizer, split } = settings
  const needs = (from: 'scores' | 'samples' | 'neighbour') =>
    names.some((name) => METRICS[name].from === from)
  const tokens = requireInput(context, 'tokens')
  const output = context.outputs['metrics']
  if (output === undefined) throw new Error('metrics: the output `metrics` is missing')

  const rows = await readSplit(tokens, settings)
  const slices = sliceRows(rows, settings.slices, split)
  const scores = needs('scores')
    ? await checkedScores(
        await readAligned(requireInput(context, 'scores'), 'rows.jsonl', rows),
        rows,
        tokens,
        split,
      )
    : null
  const samples = needs('samples')
    ? await readAligned(requireInput(context, 'samples'), 'samples.jsonl', rows)
    : null
  const neighbours = needs('neighbour') ? await openNeighbours(tokens, split) : null

  const byMetric = new Map<MetricName, (readonly number[])[]>(names.map((name) => [name, []]))
  const lines: string[] = []
  for (const [index, row] of rows.entries()) {
    if (index % 64 === 0) await context.throwIfCancelled()
    const score = scores?.[index]
    const sample = samples?.[index]
    const neighbour = typeof neighbours === 'function' ? (neighbours(row.prompt)?.row ?? null) : undefined
    const evidence: Evidence = {
      reference: row.response,
      ...(score === undefined ? {} : { score }),
      ...(sample === undefined ? {} : { output: requireText(sample, 'output', 'samples.jsonl') }),
      ...(neighbour === undefined ? {} : { neighbour }),
    }
    const kept: Record<string, readonly number[]> = {}
    for (const name of names) {
      const numbers = statistics(name, evidence, tokenizer)
      if (numbers === null) continue
      kept[name] = numbers
      byMetric.get(name)!.push(numbers)
    }
    const found = neighbour === undefined ? {} : { neighbour: neighbour?.id ?? null }
    const fields = slices.size === 0 ? {} : { fields: Object.fromEntries(row.fields) }
    lines.push(`${JSON.stringify({ id: row.id, ...fields, ...found, statistics: kept })}\n`)
    context.progress(index + 1, rows.length, 'rows')
  }

  const summary: Record<string, number | null> = {}
  const written: Record<string, JsonObject> = {}
  const signatures: Record<string, string> = {}
  for (const name of names) {
    const metric = METRICS[name]
    const statisticsOfRows = byMetric.get(name)!
    const value = statisticsOfRows.length === 0 ? NaN : valueOf(metric, statisticsOfRows)
    const finite = Number.isFinite(value) ? value : null
    const broken = statisticsOfRows.filter((numbers) => !numbers.every(Number.isFinite)).length
    const why =
      metric.from === 'neighbour' && typeof neighbours === 'string'
        ? neighbours
        : broken > 0
          ? `${broken} of ${rows.length} rows have no finite loss`
          : `it came out as ${value}`
    if (finite === null) context.note('warning', `${name} has no value: ${why}`)
    signatures[name] = metric.signature(tokenizer)
    written[name] = {
      value: finite,
      unit: 'num',
      direction: metric.direction,
      signature: signatures[name],
      n: statisticsOfRows.length,
      ...(finite === null ? { note: why } : {}),
    }
    summary[name] = finite
  }

  const ruler = rulerDigest({
    split,
    rows: rows.map(({ id, prompt, response }) => ({ id, prompt, reference: response })),
    metrics: { signatures, tokens: await tokenSettings(tokens, names) },
    decoding: needs('samples') ? { method: 'greedy', max_new_tokens: settings.maxNewTokens } : {},
    ...(slices.size === 0 ? {} : { slices: sliceRuler(slices, rows) }),
  })
  const apart = slices.size === 0 ? {} : { slices: slicesJson(slices, byMetric) }
  await writeFile(join(output, 'rows.jsonl'), lines.join(''))
  await writeFile(
    join(output, 'metrics.json'),
    `${JSON.stringify({ format: 1, ruler, split, rows: rows.length, metrics: written, ...apart }, null, 2)}\n`,
  )
  return { rows: rows.length, split, ruler, ...summary }
}
