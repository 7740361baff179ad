// The parts of the bundle: each is loaded when something needs it, with what V8 compiled of it the last time.
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs')
const { createRequire } = require('node:module')
const { join } = require('node:path')
const { pathToFileURL } = require('node:url')
const v8 = require('node:v8')
const vm = require('node:vm')

// Most commands are over before optimised code pays for the time it takes to make; V8's own value is an eighth of this.
v8.setFlagsFromString('--interrupt-budget=1000000')
// The young generation is small: waking threads to collect it, and waiting for them, takes longer than doing it here.
v8.setFlagsFromString('--no-parallel-scavenge')

/** What every command loads first; the rest is kept for each verb, because each needs other functions of it. */
const FIRST = 'first'

/** Parts of Node that cost milliseconds; most commands never come to use them. */
const LATE = new Set(['node:child_process', 'node:fs/promises', 'node:readline', 'node:worker_threads'])

/** A loader for the parts in `buildDir`; `verb` says whose caches to use. */
exports.openParts = function openParts(buildDir, verb) {
  const folder = join(buildDir, 'cli')
  const caches = join(buildDir, 'caches', `${process.version}-${process.arch}`)
  const outside = createRequire(join(folder, 'part.cjs'))
  const loaded = new Map()
  const unkept = []
  let group = FIRST

  function load(name) {
    const known = loaded.get(name)
    if (known !== undefined) return known.exports
    const filename = join(folder, name)
    const cache = join(caches, group, name)
    const cachedData = readIfThere(cache)
    // Regular expressions keep their full-width signs.
    const source = readFileSync(filename, 'utf8')
    const script = new vm.Script(`(function (require, module, exports, importMetaUrl) {${source}\n})`, {
      filename,
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
      ...(cachedData === undefined ? {} : { cachedData }),
    })
    if (cachedData === undefined || script.cachedDataRejected) unkept.push({ script, cache })
    const module = { exports: {} }
    loaded.set(name, module)
    script.runInThisContext()(need, module, module.exports, pathToFileURL(filename).href)
    return module.exports
  }

  const later = (id) => new Proxy({}, { get: (_, name) => outside(id)[name] })

  function need(id) {
    if (id.startsWith('./')) return load(id.slice(2))
    return LATE.has(id) ? later(id) : outside(id)
  }

  return {
    load(name) {
      const exports = load(name)
      group = verb
      return exports
    },
    /** Call it after the run: then a cache holds the functions which were needed. */
    keepCaches() {
      try {
        for (const { script, cache } of unkept) {
          mkdirSync(join(cache, '..'), { recursive: true })
          const temporary = `${cache}.${process.pid}`
          writeFileSync(temporary, script.createCachedData())
          renameSync(temporary, cache)
        }
      } catch {
        // A read-only installation starts a little slower; nothing else depends on the caches.
      }
    },
  }
}

function readIfThere(path) {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}
