// The peers in their pinned versions, installed into `.tools/engines` the first time.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const VERSIONS = { dvc: '3.67.1', snakemake: '9.27.1', wireit: '0.14.13' }
export const tools = fileURLToPath(new URL('../../.tools/engines', import.meta.url))

/** Tells where their programs and packages lie. */
export function installPeers() {
  const done = join(tools, `installed ${Object.values(VERSIONS).join(' ')}`)
  if (!existsSync(done)) {
    console.error(
      `installing ${Object.entries(VERSIONS)
        .map((pair) => pair.join(' '))
        .join(', ')} into ${tools}`,
    )
    const run = (file, args) =>
      execFileSync(file, args, { cwd: tools, stdio: ['ignore', 'ignore', 'inherit'] })
    mkdirSync(join(tools, 'node'), { recursive: true })
    run('python3', ['-m', 'venv', tools])
    run(join(tools, 'bin', 'pip'), [
      'install',
      '-q',
      `dvc==${VERSIONS.dvc}`,
      `snakemake==${VERSIONS.snakemake}`,
    ])
    writeFileSync(join(tools, 'node', 'package.json'), '{ "private": true }\n')
    run('npm', [
      'install',
      '--prefix',
      join(tools, 'node'),
      '--ignore-scripts',
      '--no-audit',
      `wireit@${VERSIONS.wireit}`,
    ])
    writeFileSync(done, '')
  }
  return { bin: join(tools, 'bin'), modules: join(tools, 'node', 'node_modules') }
}
