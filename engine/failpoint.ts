/**
 * The steps in which a run becomes a result, by name, so that a test can end the process at each of them. Nothing here
 * decides anything: a step that nobody watches costs one comparison.
 */

/** In the order in which a run passes them; a step is reached when what it says has just happened. */
export const STEPS = {
  swept: 'what dead runs left is removed',
  'run-begun': 'the log has its first line',
  'key-taken': 'the right to make a result is taken, and the store has been asked once more',
  'stage-begun': 'the log says that the stage starts',
  staged: 'there is a folder for the folders of attempts',
  'inputs-laid-out': 'links to the inputs lie in it',
  'job-done': 'a worker has finished a job',
  'outputs-checked': 'everything that was declared lies there, in plain files',
  'blob-moved': 'a file has moved into the store; its bytes are flushed',
  'tree-listed': 'the list of an output is in the store',
  'outputs-stored': 'all outputs are in the store; its folders are flushed before the record is in its place',
  'file-drafted': 'the new text of a small file is flushed, under another name',
  'file-renamed': 'it has taken the place of the old one',
  'record-written': 'the result is on record: from here on the stage has run',
  'staging-removed': "the attempt's folders are gone",
  'key-released': 'others may take the key',
  'outputs-hidden': 'what was shown before is gone from out/',
  'outputs-shown': 'the outputs lie in out/',
  'stage-ended': 'the log says that the stage is done',
  'all-shown': 'everything in out/ is from this run',
  'lock-written': 'the lock file is written',
  'run-ended': 'the log has its last line',
  'log-closed': 'the run has left',
} as const

/** The steps of an export, which not every run has. */
export const EXPORT_STEPS = {
  'export-drafted': 'the new folder lies beside its place, whole and flushed',
  'export-set-aside': 'the old folder has made room for it',
  'export-placed': 'the new folder is in its place, the old one still beside it',
} as const

export type CommitStep = keyof typeof STEPS | keyof typeof EXPORT_STEPS

let watcher: ((step: CommitStep) => void) | null = null

/** Says that a step is reached. */
export function reach(step: CommitStep): void {
  watcher?.(step)
}

/** From now on `watch` hears of every step. */
export function watchSteps(watch: (step: CommitStep) => void): void {
  watcher = watch
}

/** `<step>` or `<step>:<n>`: the process kills itself when it reaches that step for the nth time. Returns what is wrong. */
export function killAt(text: string): string | null {
  const [step = '', times = '1'] = text.split(':')
  let left = Number(times)
  const steps = { ...STEPS, ...EXPORT_STEPS }
  if (!(step in steps) || !Number.isInteger(left) || left < 1)
    return `there is no failpoint '${text}'; write <step> or <step>:<n>, with one of ${Object.keys(steps).join(', ')}`
  watchSteps((reached) => {
    if (reached === step && --left === 0) process.kill(process.pid, 'SIGKILL')
  })
  return null
}
