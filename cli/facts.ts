/** Gathers from the files of a pipeline's sources what the compiler wants to know of the world; reads a little of each. */
import { closeSync, mkdirSync, openSync, readFileSync, readSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { sourcesToCompare, sourcesToSample, type Facts, type Overlap } from '../dsl/facts.ts'
import type { Pipeline, PipelineSource } from '../dsl/pipeline.ts'
import { digestOf } from '../engine/artifact.ts'
import { overlapInput, overlapOf } from '../engine/plan/overlap.ts'
import { filesOfSource } from '../engine/plan/sources.ts'
import { writeAtomic } from '../engine/store/atomic.ts'

/** Enough rows to know a file's language. */
const SAMPLE_BYTES = 64 * 1024
const MOST_FILES = 16
/** Where `clean` finds the response of a row. */
const RESPONSES = ['response', 'completion', 'answer', 'output']

export async function gatherFacts(pipeline: Pipeline, root: string, stateDir: string): Promise<Facts> {
  const hanShare: Record<string, number> = {}
  for (const name of sourcesToSample(pipeline)) {
    const source = pipeline.sources[name]
    if (source === undefined) continue
    const responses = (await filesOfSource(source, root, MOST_FILES)).flatMap(responsesIn)
    if (responses.length > 0)
      hanShare[name] = responses.filter((text) => /\p{Script=Han}/u.test(text)).length / responses.length
  }
  const overlaps: Record<string, Overlap> = {}
  for (const name of sourcesToCompare(pipeline)) {
    const source = pipeline.sources[name]
    const overlap = source === undefined ? null : await overlapIn(source, root, stateDir)
    if (overlap !== null) overlaps[name] = overlap
  }
  return { hanShare, overlaps }
}

/** A file that was written so lately may be written again within the same tick of its clock. */
const SETTLED_MS = 2_000

/** All rows are read for it, so what was found is kept for as long as the files stay what they are. */
async function overlapIn(source: PipelineSource, root: string, stateDir: string): Promise<Overlap | null> {
  try {
    const input = await overlapInput(source, root)
    if (input === null) return null
    const facts = ['overlap 1', input.stamps, input.train.length, source.schema?.input ?? null, root]
    const kept = join(stateDir, 'compiled', digestOf(JSON.stringify(facts)).slice('sha256:'.length))
    try {
      return JSON.parse(readFileSync(kept, 'utf8')) as Overlap | null
    } catch {
      // Never looked at, or damaged: look again.
    }
    const overlap = await overlapOf(input, source.schema?.input, root)
    if (input.stamps.every(([, , mtimeMs, ctimeMs]) => Date.now() - Math.max(mtimeMs, ctimeMs) > SETTLED_MS))
      keep(kept, JSON.stringify(overlap))
    return overlap
  } catch (error) {
    // What is not there, or may not be read, has a message of its own.
    if ((error as NodeJS.ErrnoException).code !== undefined) return null
    throw error
  }
}

function keep(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeAtomic(path, text)
  } catch {
    // Only a memory of work that can be done again.
  }
}

/** The responses at the beginning of a file; what cannot be read has its own message when a stage reads it. */
function responsesIn(path: string): readonly string[] {
  return beginning(path)
    .split('\n')
    .flatMap((line) => {
      try {
        const row = JSON.parse(line) as Readonly<Record<string, unknown>> | null
        return RESPONSES.map((field) => row?.[field])
          .filter((text) => typeof text === 'string')
          .slice(0, 1)
      } catch {
        return []
      }
    })
}

function beginning(path: string): string {
  try {
    const file = openSync(path, 'r')
    try {
      const bytes = Buffer.alloc(SAMPLE_BYTES)
      return bytes.toString('utf8', 0, readSync(file, bytes, 0, SAMPLE_BYTES, 0))
    } finally {
      closeSync(file)
    }
  } catch {
    return ''
  }
}
