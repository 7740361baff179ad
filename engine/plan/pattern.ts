/** The `from` of a source -> the folder to start in and what the names below it must look like. */
import { posix } from 'node:path'

/** One folder or file name of a pattern; `**` stands for any number of folders. */
type Step = '**' | ((name: string) => boolean)

export interface Pattern {
  /** Folder without wildcards, relative to the root or absolute; '' is the root itself. */
  readonly base: string
  readonly steps: readonly Step[]
}

/** What a plain folder means: all that is in it, except hidden files. */
export const EVERYTHING: readonly Step[] = ['**']

const WILD_BUT_STAR = /[?[\]{}()!+@|\\]/

/**
 * A pattern of names and stars, as tinyglobby understands it; null for everything else that may stand in a pattern.
 * A pattern that ends in no star also means all that is in the folders which it matches.
 */
export function patternOf(text: string): Pattern | null {
  if (WILD_BUT_STAR.test(text)) return null
  const plain = posix.normalize(text).replace(/\/$/, '')
  const parts = plain.split('/')
  const wild = parts.findIndex((part) => part.includes('*'))
  if (wild < 0 || parts[0] === '..') return null
  const named = parts.slice(wild)
  if (named.some((part) => part.startsWith('.') || /\*\*./.test(part) || /.\*\*/.test(part))) return null
  if (plain.includes('**/**')) return null
  const steps = named.map(stepOf)
  // After a name that ends in a star, `**` stands for what is inside; after any other also for the file itself.
  if (plain.endsWith('*/**')) steps.push(stepOf('*'))
  // Only an absolute pattern begins with an empty part.
  const base = wild === 1 && parts[0] === '' ? '/' : parts.slice(0, wild).join('/')
  return { base, steps: plain.endsWith('*') ? steps : [...steps, '**'] }
}

function stepOf(part: string): Step {
  if (part === '**') return '**'
  if (!part.includes('*')) return (name) => name === part
  if (part === '*') return (name) => !isHidden(name)
  const text = part.split('*').map((piece) => piece.replaceAll(/[.^$]/g, String.raw`\$&`))
  const wanted = new RegExp(`^${text.join('.*')}$`, 's')
  return (name) => wanted.test(name) && !isHidden(name)
}

/** The places in `steps` where a walk may stand: one for each way to read the folders behind it. */
export type Places = readonly number[]

export function start(steps: readonly Step[]): Places {
  return withSkips(steps, [0])
}

/** Where a walk stands inside the folder `name`; empty if nothing in it can match. */
export function enter(steps: readonly Step[], places: Places, name: string): Places {
  const next: number[] = []
  for (const place of places) {
    const step = steps[place]
    if (step === '**') {
      if (!isHidden(name)) next.push(place)
    } else if (step?.(name) === true) next.push(place + 1)
  }
  return withSkips(steps, next)
}

export function matches(steps: readonly Step[], places: Places, name: string): boolean {
  for (const place of places) {
    const step = steps[place]
    const fits = step === '**' ? !isHidden(name) : step?.(name) === true
    if (fits && endsAfter(steps, place + 1)) return true
  }
  return false
}

/** `**` may stand for no folder at all. */
function withSkips(steps: readonly Step[], places: Places): Places {
  const all = new Set<number>()
  for (const place of places) {
    let at = place
    all.add(at)
    while (steps[at] === '**') all.add(++at)
  }
  all.delete(steps.length)
  return [...all]
}

function endsAfter(steps: readonly Step[], place: number): boolean {
  return steps.slice(place).every((step) => step === '**')
}

function isHidden(name: string): boolean {
  return name.startsWith('.')
}
