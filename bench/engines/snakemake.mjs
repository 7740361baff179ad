// Snakemake: a rule for each stage, and one that asks for what nobody else reads.
import { join } from 'node:path'
import { tools } from './install.mjs'
import { commandWithPaths, madeBy, outputOf, pathOf, writeFiles } from './pipelines.mjs'

const program = join(tools, 'bin', 'snakemake')

export const snakemake = {
  name: 'Snakemake',
  set(dir, { stages }) {
    const read = new Set(
      stages.flatMap(({ reads }) => Object.values(reads).flatMap(({ stage }) => stage ?? [])),
    )
    const ends = stages.filter(({ name }) => !read.has(name)).map((stage) => outputOf(madeBy(stage)))
    // Its inputs are files; a folder given as one would be looked at by the time of its own entry alone.
    const inside = (folder) => `glob("${folder}/*.txt")`
    const rules = stages.flatMap((stage) => [
      `rule ${stage.name}:`,
      `    input: ${Object.values(stage.reads)
        .map((from) =>
          from.folder === undefined ? JSON.stringify(pathOf(from)) : `*sorted(${inside(from.folder)})`,
        )
        .join(', ')}`,
      `    output: ${JSON.stringify(outputOf(madeBy(stage)))}`,
      // A parameter is looked at, a variable of the environment is not.
      ...(stage.variables ?? []).map((name) => `    params: ${name.toLowerCase()}=environ["${name}"]`),
      `    shell: ${JSON.stringify(commandWithPaths(stage))}`,
    ])
    const text = [
      'from glob import glob',
      'from os import environ',
      'rule all:',
      `    input: ${JSON.stringify(ends)}`,
      ...rules,
      '',
    ].join('\n')
    writeFiles(dir, [['Snakefile', text]])
  },
  run: (targets = []) => [program, '--cores', '2', ...targets.map(outputOf)],
  /** The first tells a reason for each job. */
  asks: [
    [program, '-n', '--cores', '2'],
    [program, '--summary', '--cores', '2'],
  ],
  file: 'Snakefile',
  made: (dir, name) => join(dir, outputOf(name)),
  /** What its own message says to do after a kill. */
  repair: [
    [program, '--unlock', '--cores', '2'],
    [program, '--cores', '2', '--rerun-incomplete'],
  ],
}
