#!/usr/bin/env node
// Starts sluice: checks Node, rebuilds when a source changed (in a checkout), loads the parts that a command needs.
// CommonJS, because Node starts it a tenth sooner than a module.
const { existsSync, readFileSync, statSync } = require('node:fs')
const { join } = require('node:path')

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `sluice needs Node 20.19 or newer, this is ${process.version} (${process.execPath})\n` +
      '  help: install a current Node from nodejs.org, or run: nvm install 20\n',
  )
  process.exit(6)
}

const root = join(__dirname, '..')

async function start() {
  let notes = readNotes()
  // A package has its build and no tsconfig; a checkout looks whether a source changed.
  if (notes === null || (existsSync(join(root, 'tsconfig.json')) && isStale(notes))) {
    await rebuild()
    notes = readNotes()
  }
  const { openParts } = require('./parts.cjs')
  const [, , verb = ''] = process.argv
  // Stays if everything stops before there is an answer.
  process.exitCode = 1
  const parts = openParts(join(root, 'build'), /^[a-z]+$/.test(verb) ? verb : 'other')
  process.exitCode = await parts.load(notes.main).main(process.argv.slice(2), join(root, 'build'))
  parts.keepCaches()
}

function readNotes() {
  try {
    return JSON.parse(readFileSync(join(root, 'build', 'start.json'), 'utf8'))
  } catch {
    return null
  }
}

/** Sources are compared by time and size, as they were when the build began to read them. */
function isStale({ sources }) {
  return sources.some(([path, mtimeMs, size]) => {
    const stat = statSync(`${root}/${path}`, { throwIfNoEntry: false })
    return stat === undefined || stat.mtimeMs !== mtimeMs || stat.size !== size
  })
}

async function rebuild() {
  try {
    const { build } = await import('./build.mjs')
    await build()
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    process.stderr.write('sluice is not installed completely: esbuild is missing\n  help: npm ci\n')
    process.exit(6)
  }
}

void start()
