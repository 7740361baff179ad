/** An editor that speaks the real protocol with the real launcher, over pipes. */
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { FrameReader, frame } from '../../editor/framing.ts'
import type {
  CodeAction,
  CompletionItem,
  DocumentSymbol,
  Hover,
  Location,
  LspDiagnostic,
  Message,
  Position,
  TextEdit,
} from '../../editor/protocol.ts'
import { TextDocument } from '../../editor/document.ts'

const LAUNCHER = join(import.meta.dirname, '../../cli/sluice.cjs')

type Published = {
  readonly uri: string
  readonly version?: number
  readonly diagnostics: readonly LspDiagnostic[]
}

export class Editor {
  readonly child: ChildProcess
  readonly uri: string
  readonly ended: Promise<number | null>
  readonly published: Published[] = []
  readonly logged: string[] = []
  /** What the server printed that was no message. */
  stderr = ''
  private readonly reader = new FrameReader()
  private readonly waiting = new Map<unknown, (message: Message) => void>()
  private watchers: (() => void)[] = []
  private id = 0
  private version = 0
  private document = new TextDocument('', 0, '')

  constructor(root: string, file: string, environment: NodeJS.ProcessEnv = {}) {
    this.uri = pathToFileURL(join(root, file)).href
    this.child = spawn(process.execPath, [LAUNCHER, 'lsp'], {
      cwd: root,
      env: { ...process.env, SLUICE_LANG: 'en', ...environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.child.stdout?.on('data', (bytes: Buffer) => {
      for (const each of this.reader.push(bytes)) if ('message' in each) this.heard(each.message)
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    this.ended = new Promise((resolve) => this.child.once('close', resolve))
  }

  private heard(message: Message): void {
    if (message.method === 'textDocument/publishDiagnostics') this.published.push(message.params as Published)
    if (message.method === 'window/logMessage')
      this.logged.push((message.params as { message: string }).message)
    if (message.method === undefined) this.waiting.get(message.id)?.(message)
    for (const look of this.watchers) look()
  }

  write(bytes: string | Uint8Array): void {
    this.child.stdin?.write(bytes)
  }

  /** What is written meanwhile arrives in one piece. */
  atOnce(write: () => void): void {
    this.child.stdin?.cork()
    write()
    this.child.stdin?.uncork()
  }

  notify(method: string, params: unknown = {}): void {
    this.write(frame({ jsonrpc: '2.0', method, params }))
  }

  /** Sends a request and gives its id, for those that are to be called off. */
  start(method: string, params: unknown): { readonly id: number; readonly answer: Promise<Message> } {
    const id = ++this.id
    const answer = new Promise<Message>((resolve, reject) => {
      this.waiting.set(id, resolve)
      void this.ended.then(() => reject(new Error(`ended before ${method} was answered:\n${this.stderr}`)))
    })
    this.write(frame({ jsonrpc: '2.0', id, method, params }))
    return { id, answer }
  }

  async request<T>(method: string, params: unknown = {}): Promise<T> {
    const { result, error } = await this.start(method, params).answer
    if (error !== undefined) throw new Error(`${String(error.code)} ${error.message}`)
    return result as T
  }

  async initialize(locale?: string): Promise<unknown> {
    const answer = await this.request('initialize', {
      processId: process.pid,
      rootUri: null,
      capabilities: {},
      locale,
    })
    this.notify('initialized')
    return answer
  }

  open(text: string, languageId = 'yaml'): void {
    this.document = new TextDocument(this.uri, ++this.version, text)
    this.notify('textDocument/didOpen', {
      textDocument: { uri: this.uri, languageId, version: this.version, text },
    })
  }

  get text(): string {
    return this.document.text
  }

  /** Types over a piece of the text that stands there once. */
  replace(before: string, after: string): void {
    const start = this.offsetOf(before)
    const range = this.document.rangeOf({ start, end: start + before.length })
    const text = this.text.slice(0, start) + after + this.text.slice(start + before.length)
    this.document = new TextDocument(this.uri, ++this.version, text)
    this.notify('textDocument/didChange', {
      textDocument: { uri: this.uri, version: this.version },
      contentChanges: [{ range, text: after }],
    })
  }

  /** Applies what the server wants changed, and tells it. */
  apply(edits: readonly TextEdit[]): void {
    const sorted = [...edits].sort(
      (a, b) => this.document.offsetAt(b.range.start) - this.document.offsetAt(a.range.start),
    )
    let { text } = this
    for (const { range, newText } of sorted)
      text =
        text.slice(0, this.document.offsetAt(range.start)) +
        newText +
        text.slice(this.document.offsetAt(range.end))
    this.document = new TextDocument(this.uri, ++this.version, text)
    this.notify('textDocument/didChange', {
      textDocument: { uri: this.uri, version: this.version },
      contentChanges: [{ text }],
    })
  }

  /** Problems of the text as it is now. */
  problems(): Promise<readonly LspDiagnostic[]> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const newest = this.published.at(-1)
        if (newest?.version !== this.version) return
        this.watchers = this.watchers.filter((each) => each !== look)
        resolve(newest.diagnostics)
      }
      this.watchers.push(look)
      look()
      void this.ended.then(() => reject(new Error(`ended without a word:\n${this.stderr}`)))
    })
  }

  private offsetOf(words: string): number {
    const start = this.text.indexOf(words)
    if (start === -1 || this.text.includes(words, start + 1))
      throw new Error(`'${words}' does not stand in the text exactly once`)
    return start
  }

  /** `'lo|ra'`: between the `lo` and the `ra` of a piece that stands there once. */
  at(marked: string): { textDocument: { uri: string }; position: Position } {
    const [before = '', after = ''] = marked.split('|')
    const offset = this.offsetOf(before + after) + before.length
    return { textDocument: { uri: this.uri }, position: this.document.positionAt(offset) }
  }

  async complete(marked: string): Promise<readonly CompletionItem[]> {
    type Items = readonly CompletionItem[]
    const found = await this.request<Items | { items: Items }>('textDocument/completion', this.at(marked))
    return 'items' in found ? found.items : found
  }

  hover(marked: string): Promise<Hover | null> {
    return this.request('textDocument/hover', this.at(marked))
  }

  async definition(marked: string): Promise<string | null> {
    const found = await this.request<Location | null>('textDocument/definition', this.at(marked))
    return found === null ? null : this.line(found)
  }

  async references(marked: string, includeDeclaration = true): Promise<readonly string[]> {
    const found = await this.request<readonly Location[]>('textDocument/references', {
      ...this.at(marked),
      context: { includeDeclaration },
    })
    return found.map((each) => this.line(each))
  }

  private line({ range }: Location): string {
    return `${String(range.start.line + 1)}: ${(this.text.split('\n')[range.start.line] ?? '').trim()}`
  }

  async rename(marked: string, newName: string): Promise<readonly TextEdit[]> {
    const { changes } = await this.request<{ changes: Record<string, readonly TextEdit[]> }>(
      'textDocument/rename',
      {
        ...this.at(marked),
        newName,
      },
    )
    return changes[this.uri] ?? []
  }

  symbols(): Promise<readonly DocumentSymbol[]> {
    return this.request('textDocument/documentSymbol', { textDocument: { uri: this.uri } })
  }

  async actions({ range }: LspDiagnostic): Promise<readonly CodeAction[]> {
    return this.request('textDocument/codeAction', {
      textDocument: { uri: this.uri },
      range,
      context: { diagnostics: [] },
    })
  }

  async close(): Promise<number | null> {
    await this.request('shutdown', null)
    this.notify('exit')
    return this.ended
  }
}
