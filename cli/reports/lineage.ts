/** What a hash of the store is, in words: what made it, what it holds, what was made from it. */
import { inputsOf } from '../lineage.ts'
import type { Found, Lineage, Port } from '../lineage.ts'
import type { Digest } from '../../engine/artifact.ts'
import { summaryText } from './progress.ts'
import { bytes, duration } from './style.ts'

const MOST_FILES = 8
const MOST_PORTS = 8

export function foundText(found: Found, lineage: Lineage): string {
  switch (found.type) {
    case 'result': {
      const { result, user } = found
      const runs = lineage.runsOf(result.key)
      const [last] = runs
      return [
        `${short(result.key)}   the result of ${user === '' ? 'a stage that no run here names' : user}`,
        `  kind  ${text(result.manifest['kind'])}@${text(result.manifest['version'])}`,
        ...inputsOf(result).map(
          ({ port, digest }) => `  in    ${port.padEnd(10)} ${short(digest)}  ${origin(digest, lineage)}`,
        ),
        ...Object.entries(result.manifest).flatMap(([name, value]) =>
          name.startsWith('with.') ? [`  with  ${name.slice('with.'.length).padEnd(10)} ${value}`] : [],
        ),
        ...Object.entries(result.outputs).map(
          ([port, { tree, type, bytes: size }]) =>
            `  out   ${port.padEnd(10)} ${short(tree)}  ${type}, ${bytes(size)}${readBy(tree, lineage)}`,
        ),
        `  made  in ${duration(result.durationMs)}${summaryText(result.summary) === '' ? '' : `: ${summaryText(result.summary)}`}`,
        `  runs  ${last === undefined ? 'none that is kept' : `${String(runs.length)}, the newest ${last}`}`,
        `  key   ${result.key}`,
      ].join('\n')
    }
    case 'artifact': {
      const { digest, artifact, files } = found
      return [
        `${short(digest)}   ${artifact.type}, ${bytes(artifact.bytes)}`,
        ...portLines('made  by', lineage.makersOf(digest)),
        ...(files === null ? ['  its list of files is gone from the store'] : fileLines(files)),
        ...portLines('read  by', lineage.readersOf(digest)),
        `  hash  ${digest}`,
      ].join('\n')
    }
    case 'source': {
      const { digest, names } = found
      const named = names.length === 0 ? '' : `, ${names.join(', ')} in the lock`
      return [
        `${short(digest)}   content that came from outside${named}`,
        ...portLines('read  by', lineage.readersOf(digest)),
        `  hash  ${digest}`,
      ].join('\n')
    }
    case 'file': {
      const { digest, size, places } = found
      return [
        `${short(digest)}   a file, ${bytes(size)}`,
        ...places
          .slice(0, MOST_FILES)
          .map(
            ({ path, artifact }) =>
              `  in    ${path} of ${short(artifact.tree)}  ${origin(artifact.tree, lineage)}`,
          ),
        ...more(places.length - MOST_FILES, 'place'),
        `  hash  ${digest}`,
      ].join('\n')
    }
  }
}

/** One line for each of several things that begin alike. */
export function foundLine(found: Found, lineage: Lineage): string {
  const what =
    found.type === 'result'
      ? `the result of ${found.user === '' ? 'a stage that no run here names' : found.user}`
      : found.type === 'artifact'
        ? `${found.artifact.type}, ${origin(found.digest, lineage)}`
        : found.type === 'file'
          ? `a file, ${bytes(found.size)}`
          : 'content that came from outside'
  return `  ${found.digest.slice(7, 27)}  ${what}`
}

export function foundJson(found: Found, lineage: Lineage): unknown {
  switch (found.type) {
    case 'result':
      return { ...found, runs: lineage.runsOf(found.digest) }
    case 'artifact':
      return { ...found, madeBy: lineage.makersOf(found.digest), readBy: lineage.readersOf(found.digest) }
    case 'source':
      return { ...found, readBy: lineage.readersOf(found.digest) }
    case 'file':
      return found
  }
}

function short(digest: Digest): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 12)
}

function text(value: string | undefined): string {
  return value === undefined ? '?' : String(JSON.parse(value))
}

function nameOf({ user, key, port }: Port): string {
  return `${user === '' ? short(key) : user}, ${port}`
}

function origin(digest: Digest, lineage: Lineage): string {
  const [maker] = lineage.makersOf(digest)
  return maker === undefined ? 'from outside, or gone from the store' : `from ${nameOf(maker)}`
}

function readBy(digest: Digest, lineage: Lineage): string {
  const readers = [...new Set(lineage.readersOf(digest).map(({ user, key }) => user || short(key)))]
  const shown = readers.slice(0, 3).join(', ')
  return readers.length === 0 ? '' : `, read by ${shown}${readers.length > 3 ? ' …' : ''}`
}

function portLines(head: string, ports: readonly Port[]): readonly string[] {
  const lines = ports
    .slice(0, MOST_PORTS)
    .map((port) => `  ${head} ${nameOf(port)}  (key ${short(port.key)})`)
  return [...lines, ...more(ports.length - MOST_PORTS, 'result')]
}

function fileLines(files: readonly { readonly path: string; readonly size: number }[]): readonly string[] {
  const lines = files.slice(0, MOST_FILES).map(({ path, size }) => `  file  ${path}  ${bytes(size)}`)
  return [...lines, ...more(files.length - MOST_FILES, 'file')]
}

function more(count: number, noun: string): readonly string[] {
  return count <= 0 ? [] : [`        and ${String(count)} more ${noun}${count === 1 ? '' : 's'}`]
}
