// Bundles the CLI, the workers and each op, and notes their digests: the one build step, run when sources change.
import { createHash } from 'node:crypto'
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
/** What the build depends on besides what it bundles. */
const BESIDES = ['cli/build.mjs', 'package.json', 'package-lock.json', 'tsconfig.json']
/** How long the parts of earlier builds stay. */
const KEPT_MS = 24 * 3600 * 1000
/** Native packages, and the ones with files of their own to find at run time, are not bundled. */
const EXTERNAL = ['onnxruntime-node', 'tokenizers', 'esbuild']

export async function build() {
  const { build: bundle, transform } = await import('esbuild')
  const started = Date.now()
  const fresh = join(root, `build.${process.pid}`)
  const common = {
    bundle: true,
    platform: 'node',
    target: 'node20',
    external: EXTERNAL,
    absWorkingDir: root,
    logLevel: 'warning',
    metafile: true,
    format: 'esm',
  }
  // What several commands need becomes a part of its own; `import()` in the sources says what can wait.
  const cli = await bundle({
    ...common,
    entryPoints: { main: 'cli/main.ts' },
    splitting: true,
    write: false,
    outdir: join(fresh, 'cli'),
    entryNames: '[name]-[hash]',
    minifySyntax: true,
    minifyWhitespace: true,
  })
  const parts = cli.outputFiles.map(({ path, text }) => ({ name: basename(path), text }))
  mkdirSync(join(fresh, 'cli'), { recursive: true })
  for (const { name, text } of parts)
    writeFileSync(join(fresh, 'cli', cjsName(name)), await asCommonJs(text, parts, transform))
  const workers = {}
  for (const worker of ['text', 'shell', 'onnx']) {
    workers[`workers/${worker}/main`] = `workers/${worker}/main.ts`
    for (const file of readdirSync(join(root, 'workers', worker, 'ops'))) {
      if (file.endsWith('.ts'))
        workers[`workers/${worker}/ops/${file.slice(0, -3)}`] = `workers/${worker}/ops/${file}`
    }
  }
  workers['workers/plugin/main'] = 'workers/plugin/main.ts'
  // White space and comments do not change what an op computes, so they do not change its digest either.
  const bundledWorkers = await bundle({
    ...common,
    entryPoints: workers,
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
  const digest = createHash('sha256')
  for (const { name, text } of parts) digest.update(`${name}\n${text}`)
  const notes = { version, cli: digest.digest('hex'), ops, runtimes }
  writeFileSync(join(fresh, 'build.json'), JSON.stringify(notes, null, 1))
  const main = parts.find(({ name }) => name.startsWith('main-'))
  const sources = sourcesOf([cli.metafile, bundledWorkers.metafile], started)
  writeFileSync(join(fresh, 'start.json'), JSON.stringify({ main: cjsName(main.name), sources }))
  mkdirSync(join(root, 'build', 'cli'), { recursive: true })
  keepRecentParts(join(root, 'build', 'cli'), join(fresh, 'cli'), started)
  const old = join(root, `build.${process.pid}.old`)
  renameSync(join(root, 'build'), old)
  renameSync(fresh, join(root, 'build'))
  rmSync(old, { recursive: true, force: true })
}

/** A command that runs while its sources change goes on with the parts that it began with, if it needs more of them. */
function keepRecentParts(from, to, now) {
  for (const name of readdirSync(from)) {
    const old = statSync(join(from, name), { throwIfNoEntry: false })
    if (old === undefined || now - old.mtimeMs > KEPT_MS || existsSync(join(to, name))) continue
    linkSync(join(from, name), join(to, name))
  }
}

/** CommonJS can be loaded at once and with V8's cached data; what `import()` fetches stays lazy. */
async function asCommonJs(text, parts, transform) {
  const { code } = await transform(text, {
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    define: { 'import.meta.url': 'importMetaUrl' },
    minifySyntax: true,
    minifyWhitespace: true,
  })
  // Node refuses `import()` in a script that comes with V8's cached data.
  const ofNode = code.replaceAll(
    /\bimport\("(node:[\w/]+)"\)/g,
    'Promise.resolve().then(() => require("$1"))',
  )
  return parts.reduce((whole, { name }) => {
    const needed = `require("./${cjsName(name)}")`
    return whole
      .replaceAll(`import("./${name}")`, `Promise.resolve().then(() => ${needed})`)
      .replaceAll(`require("./${name}")`, needed)
  }, ofNode)
}

function cjsName(name) {
  return name.replace(/\.js$/, '.cjs')
}

/** Everything that the build was made from, with time and size; what changed while it was read counts as changed. */
function sourcesOf(metafiles, started) {
  const read = metafiles
    .flatMap(({ inputs }) => Object.keys(inputs))
    .filter((path) => !/^\.\.|node_modules/.test(path))
  // npm leaves the lock out of a package.
  const besides = BESIDES.filter((path) => existsSync(join(root, path)))
  // A folder changes when an op is added that nobody imports.
  const folders = read.filter((path) => /\/ops\/[^/]+$/.test(path)).map(dirname)
  return [...new Set([...read, ...folders, ...besides])].sort().map((path) => {
    const { mtimeMs, size } = statSync(join(root, path))
    return [path, mtimeMs < started ? mtimeMs : 0, size]
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build()
