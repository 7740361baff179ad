// Sluice: every command is a `shell` stage; what it reads is found in variables.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../project-copy.mjs'
import { tools } from './install.mjs'
import { fill, noted, writeFiles } from './pipelines.mjs'

const launcher = process.env.SLUICE_LAUNCHER ?? install()

/** Puts Sluice where its peers are, as a package: in a checkout each start compares the sources with the build. */
function install() {
  execFileSync(process.execPath, [join(projectRoot, 'cli', 'sluice.cjs'), '--version'])
  const folder = join(tools, 'sluice')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(folder, 'cli'), { recursive: true })
  for (const name of readdirSync(join(projectRoot, 'cli')).filter((each) => each.endsWith('.cjs')))
    cpSync(join(projectRoot, 'cli', name), join(folder, 'cli', name))
  for (const name of ['build', 'package.json'])
    cpSync(join(projectRoot, name), join(folder, name), { recursive: true })
  symlinkSync(join(projectRoot, 'node_modules'), join(folder, 'node_modules'))
  return join(folder, 'cli', 'sluice.cjs')
}

export const sluice = {
  name: 'Sluice',
  set(dir, { stages }) {
    const paths = [
      ...new Set(stages.flatMap(({ reads }) => Object.values(reads).flatMap((read) => sourceOf(read) ?? []))),
    ]
    const names = new Map(
      paths.map((path) => [path, path.replace(/(?:\/\*)?\.txt$/, '').replaceAll('/', '-')]),
    )
    const lines = stages.map((stage) => {
      const { name, reads, run, variables: passed = [] } = stage
      const inputs = Object.entries(reads).map(
        ([port, read]) =>
          `${port}: ${read.stage === undefined ? `sources.${names.get(sourceOf(read))}` : `${read.stage}.out`}`,
      )
      const variables = Object.entries(reads).map(([port, { folder }]) => [
        port,
        `"$SLUICE_${folder === undefined ? 'FILES' : 'INPUT'}_${port.toUpperCase()}"`,
      ])
      const command = noted(
        stage,
        fill(run, { ...Object.fromEntries(variables), out: '"$SLUICE_OUTPUT_OUT/x"' }),
      )
      const env = passed.map((variable) => `${variable}: =env.${variable}`).join(', ')
      return `  ${name}: { uses: shell, inputs: { ${inputs.join(', ')} }, with: { run: ${quoted(command)}, env: { ${env} }, outputs: { out: files } } }`
    })
    const sources = [...names].map(([path, name]) => `  ${name}: { type: files, from: ${path} }`)
    const text = ['version: 1', 'name: p', 'sources:', ...sources, 'stages:', ...lines, ''].join('\n')
    writeFiles(dir, [
      ['pipelines/p.pipeline.yaml', text],
      ['sluice.config.yaml', ''],
    ])
  },
  run: (targets = []) => [process.execPath, launcher, 'run', ...targets],
  asks: [
    [process.execPath, launcher, 'plan'],
    ...['first', 'second', 'third'].map((stage) => [process.execPath, launcher, 'why', stage]),
  ],
  file: 'pipelines/p.pipeline.yaml',
  made: (dir, name) => join(dir, '.sluice/out/p', name, 'out/x'),
  /** What a user is told to do after a crash: nothing. */
  repair: [],
}

function sourceOf({ file, folder }) {
  return file ?? (folder === undefined ? undefined : `${folder}/*.txt`)
}

function quoted(command) {
  return `'${command.replaceAll("'", "''")}'`
}
