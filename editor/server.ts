/** The language server without its pipes: messages in, messages out; it looks at the world through `World` alone. */
import type { Diagnostic } from '../dsl/diagnostic.ts'
import type { CompileOptions, Pipeline } from '../dsl/pipeline.ts'
import { inLanguage, type Language, type Words } from '../dsl/words.ts'
import { completionsAt } from './completion.ts'
import { changed, TextDocument, type Change } from './document.ts'
import type { Facts } from './facts.ts'
import { hoverAt } from './hover.ts'
import { definitionAt, referencesAt } from './navigate.ts'
import type { Kinds } from './outline.ts'
import { fixesIn, problemsOf } from './problems.ts'
import { ERROR, type Id, type Message, type Position, type Range } from './protocol.ts'
import { renamableAt, renameAt } from './rename.ts'
import { symbolsOf } from './symbols.ts'
import { View } from './view.ts'

export interface World {
  /** The file as `sluice validate` would call it; null for a text that is no pipeline file. */
  readonly pathOf: (uri: string, languageId: string) => string | null
  readonly facts: (uri: string) => Facts
  /** What can only be said with a look at the files of the sources. */
  readonly advice: (uri: string, pipeline: Pipeline) => Promise<readonly Diagnostic[]>
  /** Where the explanation of a code can be opened, if anywhere. */
  readonly explained: (uri: string, code: string, language: Language) => string | null
  /** Which language the user reads, given what the editor says of it. */
  readonly language: (locale: string | null) => Language
  /** Runs it when nothing else is waiting to be done, but not before `ms` have passed. The result calls it off. */
  readonly later: (ms: number, run: () => void) => () => void
}

export interface ServerSettings {
  readonly kinds: Kinds
  readonly version: string
  readonly compile: CompileOptions
}

/** Between two keystrokes of a fast typist; shorter would check texts that nobody has looked at. */
const PAUSE_MS = 20

interface Open {
  readonly view: View
  /** Calls the check off that is waiting. */
  readonly forget: () => void
}

type Stage = 'new' | 'running' | 'shut-down' | 'ended'

/** What a request cannot be answered with, in words for the user. */
class Refusal extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

export class LanguageServer {
  private readonly world: World
  private readonly settings: ServerSettings
  private readonly send: (message: Message) => void
  private readonly open = new Map<string, Open>()
  private language: Language = 'en'
  private stage: Stage = 'new'
  /** Set once the conversation is over: 0 if it was ended as agreed, else 1. */
  exitCode: number | null = null

  constructor(world: World, settings: ServerSettings, send: (message: Message) => void) {
    this.world = world
    this.settings = settings
    this.send = send
  }

  /** Answers one message. `cancelled` is true for a request that was called off before its turn came. */
  receive(message: Message, cancelled = false): void {
    if (message.method === undefined) {
      // Answers: we ask nothing. Anything else without a method is no message.
      if (message.id === undefined) this.fail(null, ERROR.invalidRequest, 'a message has a method')
      return
    }
    if (message.id === undefined) this.notified(message.method, message.params)
    else this.answer(message.id, message.method, message.params, cancelled)
  }

  /** A text that is no JSON. */
  unreadable(reason: string): void {
    this.fail(null, ERROR.parse, reason)
  }

  /** The other side is gone. */
  hangUp(): void {
    if (this.stage === 'ended') return
    this.exitCode = this.stage === 'shut-down' ? 0 : 1
    this.stage = 'ended'
    for (const { forget } of this.open.values()) forget()
    this.open.clear()
  }

  private fail(id: Id, code: number, message: string): void {
    this.send({ jsonrpc: '2.0', id, error: { code, message } })
  }

  private answer(id: Id, method: string, params: unknown, cancelled: boolean): void {
    try {
      if (cancelled) throw new Refusal(ERROR.cancelled, 'cancelled')
      this.send({ jsonrpc: '2.0', id, result: this.result(method, params) })
    } catch (error) {
      if (error instanceof Refusal) this.fail(id, error.code, error.message)
      else {
        const { message, stack } = error as Error
        this.fail(id, ERROR.internal, `sluice: ${message}`)
        this.log(`${method}: ${stack ?? message}`)
      }
    }
  }

  private log(message: string): void {
    this.send({ jsonrpc: '2.0', method: 'window/logMessage', params: { type: 1, message } })
  }

  private result(method: string, params: unknown): unknown {
    if (this.stage === 'new' && method !== 'initialize')
      throw new Refusal(ERROR.notInitialized, 'initialize comes first')
    if (this.stage === 'shut-down') throw new Refusal(ERROR.invalidRequest, 'the server was shut down')
    switch (method) {
      case 'initialize':
        return this.initialize(params)
      case 'shutdown':
        this.stage = 'shut-down'
        return null
      case 'textDocument/completion':
        return this.at(params, [], (view, offset) => ({
          isIncomplete: false,
          items: completionsAt(this.look(view), offset),
        }))
      case 'textDocument/hover':
        return this.at(params, null, (view, offset) => hoverAt(this.look(view), offset))
      case 'textDocument/definition':
        return this.at(params, null, definitionAt)
      case 'textDocument/references': {
        const { context } = params as { context?: { includeDeclaration?: boolean } }
        return this.at(params, [], (view, offset) =>
          referencesAt(view, offset, context?.includeDeclaration !== false),
        )
      }
      case 'textDocument/prepareRename':
        return this.at(params, null, (view, offset) => {
          const found = renamableAt(view, offset)
          if ('refused' in found) throw this.refusal(found.refused)
          return found
        })
      case 'textDocument/rename':
        return this.at(params, null, (view, offset) => {
          const { newName } = params as { newName?: unknown }
          if (typeof newName !== 'string') throw new Refusal(ERROR.invalidParams, 'newName is a text')
          const renamed = renameAt(view, offset, newName.trim())
          if ('refused' in renamed) throw this.refusal(renamed.refused)
          return { changes: { [view.document.uri]: renamed.edits } }
        })
      case 'textDocument/documentSymbol':
        return this.of(params, [], symbolsOf)
      case 'textDocument/codeAction':
        return this.of(params, [], (view) => {
          const { range, context } = params as { range?: Range; context?: { only?: readonly string[] } }
          const wanted = context?.only?.some((kind) => kind === '' || kind === 'quickfix') ?? true
          if (!wanted) return []
          if (range === undefined) throw new Refusal(ERROR.invalidParams, 'range is missing')
          return fixesIn(view, range, this.language, this.explained(view))
        })
      default:
        throw new Refusal(ERROR.methodNotFound, `sluice does not know ${method}`)
    }
  }

  private initialize(params: unknown): unknown {
    if (this.stage !== 'new') throw new Refusal(ERROR.invalidRequest, 'initialize comes once')
    const { locale } = (params ?? {}) as { locale?: unknown }
    this.language = this.world.language(typeof locale === 'string' ? locale : null)
    this.stage = 'running'
    return {
      serverInfo: { name: 'sluice', version: this.settings.version },
      capabilities: {
        positionEncoding: 'utf-16',
        textDocumentSync: { openClose: true, change: 2 },
        completionProvider: { triggerCharacters: [' ', '.', ':', '=', '>', '[', '-', '{', ',', '('] },
        hoverProvider: true,
        definitionProvider: true,
        referencesProvider: true,
        renameProvider: { prepareProvider: true },
        documentSymbolProvider: true,
        codeActionProvider: { codeActionKinds: ['quickfix'] },
      },
    }
  }

  private notified(method: string, params: unknown): void {
    if (method === 'exit') {
      this.hangUp()
      return
    }
    if (this.stage !== 'running') return
    try {
      this.heard(method, params)
    } catch (error) {
      this.log(`${method}: ${(error as Error).stack ?? (error as Error).message}`)
    }
  }

  /** Unknown notifications are none of our business. */
  private heard(method: string, params: unknown): void {
    switch (method) {
      case 'textDocument/didOpen': {
        const { uri, version, text, languageId } = textDocumentIn<{
          uri: string
          version?: number
          text?: string
          languageId?: string
        }>(params)
        const path = this.world.pathOf(uri, languageId ?? '')
        if (path === null || typeof text !== 'string') return
        const document = new TextDocument(uri, version ?? 0, text)
        this.show(new View(document, path, this.settings.kinds, this.settings.compile))
        return
      }
      case 'textDocument/didChange': {
        const { uri, version } = textDocumentIn<{ uri: string; version?: number }>(params)
        const known = this.open.get(uri)
        const { contentChanges } = params as { contentChanges?: readonly Change[] }
        if (known === undefined || !Array.isArray(contentChanges)) return
        const { view } = known
        const document = changed(view.document, contentChanges as readonly Change[], version ?? 0)
        this.show(new View(document, view.source.path, this.settings.kinds, this.settings.compile, view))
        return
      }
      case 'textDocument/didClose': {
        const { uri } = textDocumentIn<{ uri: string }>(params)
        this.open.get(uri)?.forget()
        // What was underlined would stay in the editor's list of problems for ever.
        if (this.open.delete(uri)) this.publish(uri, null, [])
        return
      }
      default:
    }
  }

  /** Takes a new text and has it checked as soon as the typist pauses. */
  private show(view: View): void {
    const { uri } = view.document
    this.open.get(uri)?.forget()
    const forget = this.world.later(PAUSE_MS, () => void this.check(view))
    this.open.set(uri, { view, forget })
  }

  private async check(view: View): Promise<void> {
    const { uri, version } = view.document
    try {
      const { current } = view
      if (current !== null) view.advise(await this.world.advice(uri, current))
      // Somebody may have typed on meanwhile.
      if (this.open.get(uri)?.view !== view) return
      this.publish(uri, version, problemsOf(view, this.language, this.explained(view)))
    } catch (error) {
      this.log(`checking ${uri}: ${(error as Error).stack ?? (error as Error).message}`)
    }
  }

  private publish(uri: string, version: number | null, diagnostics: readonly unknown[]): void {
    const params = { uri, ...(version === null ? {} : { version }), diagnostics }
    this.send({ jsonrpc: '2.0', method: 'textDocument/publishDiagnostics', params })
  }

  private explained(view: View): (code: string) => string | null {
    return (code) => this.world.explained(view.document.uri, code, this.language)
  }

  private look(view: View): Parameters<typeof hoverAt>[0] {
    return { view, language: this.language, facts: this.world.facts(view.document.uri) }
  }

  private refusal(words: Words): Refusal {
    return new Refusal(ERROR.requestFailed, inLanguage(words, this.language))
  }

  /** For a text that is not open, or is no pipeline, `nothing` is the answer. */
  private of(params: unknown, nothing: unknown, answer: (view: View) => unknown): unknown {
    const { uri } = textDocumentIn<{ uri: string }>(params)
    const known = this.open.get(uri)
    return known === undefined ? nothing : answer(known.view)
  }

  private at(params: unknown, nothing: unknown, answer: (view: View, offset: number) => unknown): unknown {
    return this.of(params, nothing, (view) => {
      const { position } = params as { position?: Position }
      if (typeof position?.line !== 'number' || typeof position.character !== 'number')
        throw new Refusal(ERROR.invalidParams, 'position is a line and a character')
      return answer(view, view.document.offsetAt(position))
    })
  }
}

function textDocumentIn<T extends { uri: string }>(params: unknown): T {
  const { textDocument } = (params ?? {}) as { textDocument?: T }
  if (typeof textDocument?.uri !== 'string')
    throw new Refusal(ERROR.invalidParams, 'textDocument names its uri')
  return textDocument
}
