/** Tells GitHub Actions about verdicts when the command runs there: annotations, and the page of the run. */
import { appendFileSync, statSync } from 'node:fs'
import { relative } from 'node:path'
import { annotations, MOST_SUMMARY_BYTES, summaryText } from './reports/github.ts'
import type { Verdicts } from './reports/github.ts'

interface Surroundings {
  readonly root: string
  readonly pipeline: string
  readonly environment: NodeJS.ProcessEnv
}

/** Goes to stderr, which the runner reads as well, so that stdout stays what was asked for. */
export function announce(gates: readonly Verdicts[], { root, pipeline, environment }: Surroundings): void {
  if (environment['GITHUB_ACTIONS'] !== 'true' || gates.length === 0) return
  for (const line of annotations(gates, prefixOf(root, environment['GITHUB_WORKSPACE'])))
    process.stderr.write(`${line}\n`)
  const page = environment['GITHUB_STEP_SUMMARY']
  if (page === undefined || page === '') return
  const there = statSync(page, { throwIfNoEntry: false })?.size ?? 0
  appendFileSync(page, summaryText(pipeline, gates, MOST_SUMMARY_BYTES - there))
}

/** The project's folder as seen from the checkout, with `/`. */
function prefixOf(root: string, workspace: string | undefined): string {
  if (workspace === undefined || workspace === '') return ''
  const path = relative(workspace, root).replaceAll('\\', '/')
  return path.startsWith('..') ? '' : path
}
