// Bundles the CLI, the workers and each op, and notes their digests: the one build step, run when sources change.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const SOURCE_FOLDERS = ['cli', 'dsl', 'editor', 'engine', 'metrics', 'stages', 'workers']
/** Native packages, and the ones with files of their own to find at run time, are not bundled. */
const EXTERNAL = ['onnxruntime-node', 'tokenizers', 'esbuild']

/** Path, size and time of every source file; when it differs from the built one, the bundle is stale. */
export function sourceStamp() {
  const parts = []
  const visit = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) visit(path)
      else if (/\.(ts|mjs|json)$/.test(entry.name)) {
        const { size, mtimeMs } = statSync(path)
        parts.push(`${relative(root, path)} ${size} ${mtimeMs}`)
      }
    }
  }
  for (const folder of SOURCE_FOLDERS) visit(join(root, folder))
  parts.push(statSync(join(root, 'package-lock.json'), { throwIfNoEntry: false })?.mtimeMs ?? '')
  return createHash('sha256').update(parts.sort().join('\n')).digest('hex')
}

export async function build() {
  const { build: bundle } = await import('esbuild')
  const stamp = sourceStamp()
  const fresh = join(root, `build.${process.pid}`)
  const common = {
    bundle: true,
    platform: 'node',
    target: 'node20',
    external: EXTERNAL,
    absWorkingDir: root,
    logLevel: 'warning',
  }
  await bundle({
    ...common,
    entryPoints: { cli: 'cli/main.ts' },
    format: 'cjs',
    outdir: fresh,
    outExtension: { '.js': '.cjs' },
    define: { 'import.meta.url': 'importMetaUrl' },
    banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
    minifySyntax: true,
    minifyWhitespace: true,
  })
  const workers = {}
  for (const worker of ['text', 'shell', 'onnx']) {
    workers[`workers/${worker}/main`] = `workers/${worker}/main.ts`
    for (const file of readdirSync(join(root, 'workers', worker, 'ops'))) {
      if (file.endsWith('.ts'))
        workers[`workers/${worker}/ops/${file.slice(0, -3)}`] = `workers/${worker}/ops/${file}`
    }
  }
  // White space and comments do not change what an op computes, so they do not change its digest either.
  await bundle({
    ...common,
    entryPoints: workers,
    format: 'esm',
    outdir: fresh,
    outExtension: { '.js': '.mjs' },
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    banner: {
      js: "import { createRequire as sluiceRequire } from 'node:module'; const require = sluiceRequire(import.meta.url);",
    },
  })
  const ops = {}
  for (const [worker, folder] of [
    ['text', 'text'],
    ['kernel', 'onnx'],
  ]) {
    for (const file of readdirSync(join(fresh, 'workers', folder, 'ops')).sort()) {
      const bytes = readFileSync(join(fresh, 'workers', folder, 'ops', file))
      ops[`${worker}/${file.slice(0, -'.mjs'.length)}`] = createHash('sha256').update(bytes).digest('hex')
    }
  }
  // What a command computes is the command's: a new release of ours must not run yesterday's training again.
  ops['shell/run'] = '1'
  const { dependencies, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const tokenizers = dependencies.tokenizers
  const runtimes = {
    text: { tokenizers },
    kernel: { 'onnxruntime-node': dependencies['onnxruntime-node'], tokenizers },
  }
  const cli = createHash('sha256')
    .update(readFileSync(join(fresh, 'cli.cjs')))
    .digest('hex')
  writeFileSync(join(fresh, 'build.json'), JSON.stringify({ version, stamp, cli, ops, runtimes }, null, 1))
  mkdirSync(join(root, 'build'), { recursive: true })
  const old = join(root, `build.${process.pid}.old`)
  renameSync(join(root, 'build'), old)
  renameSync(fresh, join(root, 'build'))
  rmSync(old, { recursive: true, force: true })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build()
