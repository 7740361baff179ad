#!/usr/bin/env node
// Starts sluice: checks Node, rebuilds the bundle when a source changed (in a checkout), loads it with V8's cached data.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import vm from 'node:vm'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `sluice needs Node 20.19 or newer, this is ${process.version} (${process.execPath})\n` +
      '  help: install a current Node from nodejs.org, or run: nvm install 20\n',
  )
  process.exit(6)
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const bundle = join(root, 'build', 'cli.cjs')
await rebuildIfStale()
const source = readFileSync(bundle, 'utf8')
// One cache from the first run of all, a larger one from the first run that compiled a pipeline.
const [fullCache, firstCache] = ['full', 'first'].map((name) =>
  join(root, 'build', `cli.${process.version}.${process.arch}.${name}.cache`),
)
const cachePath = [fullCache, firstCache].find((path) => existsSync(path))
const cachedData = cachePath === undefined ? undefined : readFileSync(cachePath)
const script = new vm.Script(`(function (require, module, exports, __filename, __dirname) {${source}\n})`, {
  filename: bundle,
  importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  ...(cachedData === undefined ? {} : { cachedData }),
})
const module = { exports: {} }
script.runInThisContext()(createRequire(bundle), module, module.exports, bundle, dirname(bundle))
process.exitCode = await module.exports.main(process.argv.slice(2), join(root, 'build'))
const holdsCompiler = module.exports.holdsCompiler()
const accepted = cachedData !== undefined && !script.cachedDataRejected
if (!accepted || (holdsCompiler && cachePath !== fullCache)) saveCache(holdsCompiler ? fullCache : firstCache)

/** A package has its build and no tsconfig; a checkout compares the stamp of its sources. */
async function rebuildIfStale() {
  if (!existsSync(join(root, 'tsconfig.json')) && existsSync(bundle)) return
  const { build, sourceStamp } = await import('./build.mjs')
  const built = join(root, 'build', 'build.json')
  if (
    existsSync(built) &&
    existsSync(bundle) &&
    JSON.parse(readFileSync(built, 'utf8')).stamp === sourceStamp()
  )
    return
  try {
    await build()
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    process.stderr.write('sluice is not installed completely: esbuild is missing\n  help: npm ci\n')
    process.exit(6)
  }
}

/** Made after the run, so that it holds the functions which were needed. */
function saveCache(path) {
  try {
    const temporary = `${path}.${process.pid}`
    writeFileSync(temporary, script.createCachedData())
    renameSync(temporary, path)
    // A cache that V8 refuses must not be found first the next time.
    if (!accepted && cachePath !== undefined && cachePath !== path) rmSync(cachePath)
  } catch {
    // A read-only installation starts a little slower; nothing else depends on the cache.
  }
}
