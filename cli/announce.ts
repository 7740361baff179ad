/** Tells GitHub Actions about verdicts when the command runs there: annotations, and the page of the run. */
import { appendFileSync, statSync } from 'node:fs'
import { checkAnnotations, MOST_SUMMARY_BYTES, summaryText } from './reports/github.ts'
import type { Verdicts } from './reports/github.ts'
import { fromRepository } from './say.ts'

interface Surroundings {
  readonly root: string
  readonly pipeline: string
  readonly environment: NodeJS.ProcessEnv
}

/** Goes to stderr, which the runner reads as well, so that stdout stays what was asked for. */
export function announce(gates: readonly Verdicts[], { root, pipeline, environment }: Surroundings): void {
  if (environment['GITHUB_ACTIONS'] !== 'true' || gates.length === 0) return
  for (const line of checkAnnotations(gates, (path) => fromRepository(root, path)))
    process.stderr.write(`${line}\n`)
  const page = environment['GITHUB_STEP_SUMMARY']
  if (page === undefined || page === '') return
  const there = statSync(page, { throwIfNoEntry: false })?.size ?? 0
  appendFileSync(page, summaryText(pipeline, gates, MOST_SUMMARY_BYTES - there))
}
