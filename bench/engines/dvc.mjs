// DVC: stages in dvc.yaml with deps and outs; without git, so that no commit of git is timed.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { tools } from './install.mjs'
import { commandWithPaths, madeBy, outputOf, pathOf, writeFiles } from './pipelines.mjs'

const program = join(tools, 'bin', 'dvc')

export const dvc = {
  name: 'DVC',
  set(dir, { stages }) {
    const each = stages.map((stage) => [
      stage.name,
      {
        cmd: commandWithPaths(stage),
        deps: Object.values(stage.reads).map(pathOf),
        outs: [outputOf(madeBy(stage))],
      },
    ])
    writeFiles(dir, [
      ['dvc.yaml', `${JSON.stringify({ stages: Object.fromEntries(each) }, null, 2)}\n`],
      ['made/.keep', ''],
    ])
    if (existsSync(join(dir, '.dvc'))) return
    const quiet = { cwd: dir, stdio: 'ignore' }
    execFileSync(program, ['init', '--no-scm', '-q'], quiet)
    execFileSync(program, ['config', 'core.analytics', 'false'], quiet)
    execFileSync(program, ['config', 'core.check_update', 'false'], quiet)
  },
  run: (targets = []) => [program, 'repro', ...targets],
  /** Data that DVC tracks itself is told apart by file. */
  track: (dir, paths) => execFileSync(program, ['add', '-q', ...paths], { cwd: dir, stdio: 'ignore' }),
  asks: [
    [program, 'status'],
    [program, 'data', 'status', '--granular'],
  ],
  file: 'dvc.yaml',
  made: (dir, name) => join(dir, outputOf(name)),
  repair: [],
}
