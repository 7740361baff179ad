// wireit: npm scripts. `cascade: false` with the files that a script reads is its way to stop where nothing changed.
import { existsSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { tools } from './install.mjs'
import { commandWithPaths, madeBy, outputOf, pathOf, writeFiles } from './pipelines.mjs'

export const wireit = {
  name: 'wireit',
  set(dir, { stages }) {
    const read = new Set(
      stages.flatMap(({ reads }) => Object.values(reads).flatMap(({ stage }) => stage ?? [])),
    )
    const ends = stages.filter(({ name }) => !read.has(name)).map(({ name }) => name)
    const each = stages.map((stage) => [
      stage.name,
      {
        command: commandWithPaths(stage),
        dependencies: Object.values(stage.reads).flatMap((from) =>
          from.stage === undefined ? [] : [{ script: from.stage, cascade: false }],
        ),
        files: Object.values(stage.reads).map((from) =>
          from.folder === undefined ? pathOf(from) : `${from.folder}/*.txt`,
        ),
        output: [outputOf(madeBy(stage))],
        env: Object.fromEntries((stage.variables ?? []).map((name) => [name, { external: true }])),
      },
    ])
    const scripts = { ...Object.fromEntries(each), all: { dependencies: ends } }
    const names = Object.keys(scripts).map((name) => [name, 'wireit'])
    const text = JSON.stringify(
      { private: true, scripts: Object.fromEntries(names), wireit: scripts },
      null,
      2,
    )
    writeFiles(dir, [
      ['package.json', text],
      ['made/.keep', ''],
    ])
    if (!existsSync(join(dir, 'node_modules')))
      symlinkSync(join(tools, 'node', 'node_modules'), join(dir, 'node_modules'))
  },
  run: ([target = 'all'] = []) => ['npm', 'run', target],
  /** It has no command that tells what would run, so its run may tell, with all that it logs. */
  asks: [['sh', '-c', 'WIREIT_LOGGER=simple WIREIT_DEBUG_LOG_FILE=debug.txt npm run all; cat debug.txt']],
  file: 'package.json',
  made: (dir, name) => join(dir, outputOf(name)),
  repair: [],
}
