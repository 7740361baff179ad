/** Runs one op of the text worker on files given as text, in a temporary directory. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { JobError } from '../../workers/op.ts'
import type { Op } from '../../workers/op.ts'
import type { Json, JsonObject } from '../../workers/protocol/json.ts'
import type { InputFiles } from '../../workers/protocol/messages.ts'

export interface Ran {
  readonly summary: JsonObject
  readonly notes: readonly string[]
  readonly dir: string
  readonly text: (file: string) => Promise<string>
  readonly json: (file: string) => Promise<JsonObject>
  readonly rows: (file: string) => Promise<readonly { id: string; prompt: string; response: string }[]>
}

export async function tempDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-text-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

export async function inputOf(files: Readonly<Record<string, string | Uint8Array>>): Promise<InputFiles> {
  const dir = await tempDir()
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true })
    await writeFile(join(dir, name), content)
  }
  return { dir, files: Object.keys(files).sort() }
}

export function jsonl(rows: readonly Json[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
}

export async function runOp(
  op: Op,
  options: JsonObject,
  inputs: Readonly<Record<string, InputFiles>>,
  output: string,
): Promise<Ran> {
  const dir = await tempDir()
  const notes: string[] = []
  const summary = await op({
    with: options,
    inputs,
    outputs: { [output]: dir },
    threads: 1,
    progress: () => {},
    note: (level, text) => void notes.push(`${level}: ${text}`),
    throwIfCancelled: () => Promise.resolve(),
  })
  const text = (file: string): Promise<string> => readFile(join(dir, file), 'utf8')
  return {
    summary,
    notes,
    dir,
    text,
    json: async (file) => JSON.parse(await text(file)) as JsonObject,
    rows: async (file) =>
      (await text(file))
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as { id: string; prompt: string; response: string }),
  }
}

/** The `JobError` that `attempt` must end with. */
export async function failureOf(attempt: Promise<unknown>): Promise<JobError> {
  const error: unknown = await attempt.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (error instanceof JobError) return error
  throw new Error(`expected a JobError, got ${String(error)}`, { cause: error })
}
