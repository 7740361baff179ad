/** Counts the test prompts of a source that its training files have, too: by what they say, as `split` does. */
import { createReadStream, statSync } from 'node:fs'
import { relative } from 'node:path'
import { createInterface } from 'node:readline'
import type { Overlap, RowPlace } from '../../dsl/facts.ts'
import type { PipelineSource } from '../../dsl/pipeline.ts'
import { groupKey } from '../../workers/protocol/group-key.ts'
import { ROW_NAMES } from '../../workers/protocol/row-names.ts'
import { filesOfSource } from './sources.ts'

/** Beyond it nothing is read before a run; `split` counts again and warns, whatever the size. */
const MOST_BYTES = 64 * 1024 * 1024
const MOST_FILES = 256

/** The files of two splits with what tells that they have not changed; null if there is too much to read. */
export interface OverlapInput {
  readonly train: readonly string[]
  readonly test: readonly string[]
  /** Name, size, times and inode of each file. */
  readonly stamps: readonly (readonly [string, number, number, number, number])[]
}

export async function overlapInput(source: PipelineSource, root: string): Promise<OverlapInput | null> {
  if (typeof source.from === 'string') return null
  const { train: learnt, test: asked } = source.from
  if (learnt === undefined || asked === undefined) return null
  const files = async (from: string): Promise<readonly string[]> =>
    (await filesOfSource({ ...source, from }, root, MOST_FILES + 1)).filter((path) => path.endsWith('.jsonl'))
  const [train, test] = await Promise.all([files(learnt), files(asked)])
  if (train.length > MOST_FILES || test.length > MOST_FILES) return null
  const stamps = [...train, ...test].map((path) => {
    const { size, mtimeMs, ctimeMs, ino } = statSync(path)
    return [path, size, mtimeMs, ctimeMs, ino] as const
  })
  const bytes = stamps.reduce((sum, [, size]) => sum + size, 0)
  return bytes > MOST_BYTES ? null : { train, test, stamps }
}

/** Null if no prompt is in both. A row that cannot be read has its message when a stage reads it. */
export async function overlapOf(
  { train, test }: OverlapInput,
  field: string | undefined,
  root: string,
): Promise<Overlap | null> {
  const asked = new Map<string, { readonly first: RowPlace; rows: number; twin: RowPlace | null }>()
  let of = 0
  for await (const { prompt, row } of promptsIn(test, field, root)) {
    of++
    const key = groupKey(prompt)
    const known = asked.get(key)
    if (known === undefined) asked.set(key, { first: row, rows: 1, twin: null })
    else known.rows++
  }
  for await (const { prompt, row } of promptsIn(train, field, root)) {
    const known = asked.get(groupKey(prompt))
    if (known !== undefined) known.twin ??= row
  }
  const leaked = [...asked.values()].filter(({ twin }) => twin !== null)
  const [example] = leaked
  if (example?.twin == null) return null
  const rows = leaked.reduce((sum, each) => sum + each.rows, 0)
  return { rows, of, test: example.first, train: example.twin }
}

async function* promptsIn(
  files: readonly string[],
  field: string | undefined,
  root: string,
): AsyncGenerator<{ readonly prompt: string; readonly row: RowPlace }> {
  for (const file of files) {
    let line = 0
    for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      line++
      const prompt = promptIn(text, field)
      if (prompt !== null) yield { prompt, row: { place: `${relative(root, file)}:${String(line)}`, prompt } }
    }
  }
}

/** The fields in which `clean` and `split` look for the prompt. */
function promptIn(line: string, field: string | undefined): string | null {
  let row: unknown
  try {
    row = JSON.parse(line)
  } catch {
    return null
  }
  if (typeof row !== 'object' || row === null) return null
  const fields = row as Readonly<Record<string, unknown>>
  const text = (name: string): string | null => (typeof fields[name] === 'string' ? fields[name] : null)
  if (field !== undefined) return text(field)
  for (const { prompt, extra } of ROW_NAMES) {
    const said = text(prompt)
    if (said === null) continue
    const more = extra === null ? '' : (text(extra) ?? '')
    return more === '' ? said : `${said}\n${more}`
  }
  return null
}
