/** The few questions of `init`, each with a default that Enter takes. */
import { createInterface } from 'node:readline/promises'
import type { Command } from '../options.ts'
import { TEMPLATES } from './templates.ts'
import type { Own, Template } from './templates.ts'

/** One question -> what was typed; '' is Enter. */
export type Ask = (question: string) => Promise<string>

export interface Terminal {
  readonly stdin: { readonly isTTY?: boolean }
  readonly stdout: { readonly isTTY?: boolean }
  readonly env: NodeJS.ProcessEnv
}

/** Somebody has to be there to answer: never in a script, in CI or where it was declined. */
export function mayAsk({ flags }: Command, { stdin, stdout, env }: Terminal): boolean {
  const declined = flags['yes'] === true || flags['no-input'] === true
  const isCi = (env['CI'] ?? '') !== '' && env['CI'] !== 'false'
  return !declined && !isCi && stdin.isTTY === true && stdout.isTTY === true
}

export interface Answers extends Own {
  readonly template: Template
  readonly name: string
}

/** What was said on the command line already; null has to be asked or defaulted. */
export interface Said {
  readonly template: Template | null
  readonly name: string | null
}

export interface World {
  /** Why a pipeline cannot be called so; null if it can. */
  readonly wrongName: (name: string) => string | null
  /** How many files a path or pattern finds. */
  readonly countFiles: (pattern: string) => Promise<number>
}

export function defaults({ template, name }: Said): Answers {
  const chosen = template ?? FIRST
  return { template: chosen, name: name ?? chosen.name, data: null, model: null }
}

const FIRST = TEMPLATES[0] as Template

export async function askAll(said: Said, ask: Ask, world: World): Promise<Answers> {
  const template = said.template ?? (await askTemplate(ask))
  const name = said.name ?? (await askName(template.name, ask, world))
  const data = await askData(ask, world)
  const model = await ask('Base model? A folder, or hf:ORG/NAME  [a tiny one, trained here]  › ')
  return { template, name, data, model: modelOf(model.trim()) }
}

async function askTemplate(ask: Ask): Promise<Template> {
  const list = TEMPLATES.map(({ about }, i) => `  ${String(i + 1)}  ${about}`).join('\n')
  for (let hint = ''; ;) {
    const typed = (await ask(`${hint}What should the model learn?\n${list}\n[1]  › `)).trim()
    const found = TEMPLATES.find(({ name }, i) => typed === name || typed === String(i + 1))
    if (typed === '') return FIRST
    if (found !== undefined) return found
    hint = `${typed} is none of them: a number from 1 to ${String(TEMPLATES.length)}\n`
  }
}

async function askName(proposal: string, ask: Ask, { wrongName }: World): Promise<string> {
  for (let hint = ''; ;) {
    const typed = (await ask(`${hint}What is the pipeline called?  [${proposal}]  › `)).trim()
    const name = typed === '' ? proposal : typed
    const wrong = wrongName(name)
    if (wrong === null) return name
    hint = `${wrong}\n`
  }
}

async function askData(ask: Ask, { countFiles }: World): Promise<string | null> {
  for (let hint = ''; ;) {
    const typed = (
      await ask(`${hint}Where is the data? One JSON object a line  [a few sample rows]  › `)
    ).trim()
    if (typed === '' || (await countFiles(typed)) > 0) return typed === '' ? null : typed
    hint = `there is no file ${typed}\n`
  }
}

function modelOf(typed: string): string | null {
  if (typed === '') return null
  return typed.startsWith('hf:') || /[*?[{]/.test(typed) ? typed : `${typed.replace(/\/+$/, '')}/*`
}

/** Asks on a terminal; null if it was left with Ctrl-C or Ctrl-D, which would leave a question open for ever. */
export async function onTerminal<T>(work: (ask: Ask) => Promise<T>): Promise<T | null> {
  const lines = createInterface({ input: process.stdin, output: process.stdout })
  const left = new AbortController()
  lines.once('close', () => left.abort())
  try {
    return await work((question) => lines.question(question, { signal: left.signal }))
  } catch (error) {
    if (left.signal.aborted) return null
    throw error
  } finally {
    lines.close()
  }
}
