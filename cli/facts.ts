/** Gathers from the files of a pipeline's sources what the compiler wants to know of the world; reads a little of each. */
import { closeSync, openSync, readSync } from 'node:fs'
import { sourcesToSample, type Facts } from '../dsl/facts.ts'
import type { Pipeline } from '../dsl/pipeline.ts'
import { filesOfSource } from '../engine/plan/sources.ts'

/** Enough rows to know a file's language. */
const SAMPLE_BYTES = 64 * 1024
const MOST_FILES = 16
/** Where `clean` finds the response of a row. */
const RESPONSES = ['response', 'completion', 'answer', 'output']

export async function gatherFacts(pipeline: Pipeline, root: string): Promise<Facts> {
  const hanShare: Record<string, number> = {}
  for (const name of sourcesToSample(pipeline)) {
    const source = pipeline.sources[name]
    if (source === undefined) continue
    const responses = (await filesOfSource(source, root, MOST_FILES)).flatMap(responsesIn)
    if (responses.length > 0)
      hanShare[name] = responses.filter((text) => /\p{Script=Han}/u.test(text)).length / responses.length
  }
  return { hanShare }
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
