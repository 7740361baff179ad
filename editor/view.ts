/** One version of a text and what can be known of it, each thing worked out when it is first asked for. */
import { compile } from '../dsl/compile.ts'
import type { Checked, Diagnostic } from '../dsl/diagnostic.ts'
import type { CompileOptions, Pipeline } from '../dsl/pipeline.ts'
import { readYaml } from '../dsl/read-yaml.ts'
import type { Source } from '../dsl/source.ts'
import type { MapNode } from '../dsl/tree.ts'
import type { Cursor } from './cursor.ts'
import { TextDocument } from './document.ts'
import { mentionsIn, type Mention } from './mentions.ts'
import { outlineOf, type Kinds, type Outline } from './outline.ts'

/** What the last readable text left behind. */
interface Remembered {
  readonly source: Source | null
  readonly pipeline: Pipeline | null
}

/** The longest text that is read between two keystrokes: well over a thousand stages. */
export const MOST_CHARACTERS = 100_000

export class View {
  readonly document: TextDocument
  readonly source: Source
  readonly kinds: Kinds
  readonly tooLong: boolean
  private readonly options: CompileOptions
  private readonly remembered: Remembered
  private readTree: MapNode | null | undefined
  private checked: Checked<Pipeline> | undefined
  private readOutline: Outline | undefined
  private readMentions: readonly Mention[] | undefined
  private advice: readonly Diagnostic[] = []

  /** `path` is the file's path as `sluice validate` shows it. `before` is the view of the text before this one. */
  constructor(
    document: TextDocument,
    path: string,
    kinds: Kinds,
    options: CompileOptions = {},
    before: View | null = null,
  ) {
    this.document = document
    this.source = { path, text: document.text }
    this.kinds = kinds
    this.options = options
    this.tooLong = document.text.length > MOST_CHARACTERS
    this.remembered = before === null ? { source: null, pipeline: null } : before.remember()
  }

  /** The same file with another text, to see what would become of it. */
  withText(text: string): View {
    return new View(new TextDocument(this.document.uri, 0, text), this.source.path, this.kinds, this.options)
  }

  private remember(): Remembered {
    const value = this.checked?.value
    // Only what is known already: a text that nobody asked about is not read on the way to the next.
    const readable = value !== undefined || (this.readTree ?? null) !== null
    return {
      source: readable ? this.source : this.remembered.source,
      pipeline: value ?? this.remembered.pipeline,
    }
  }

  /** Null if the text is no readable map. */
  get tree(): MapNode | null {
    if (this.readTree === undefined) this.readTree = this.tooLong ? null : mapOf(this.source)
    return this.readTree
  }

  /**
   * For what only needs names: where the text cannot be read, with the half-written word filled up, without its line,
   * or else as it last could be read.
   */
  treeAround(cursor: Cursor): MapNode | null {
    if (this.tree !== null || this.tooLong) return this.tree
    const { source } = this.remembered
    return (
      mapOf(filledUp(this.source, cursor)) ??
      mapOf(withoutLine(this.source, cursor.end)) ??
      (source === null ? null : mapOf(source))
    )
  }

  /** Of the text as it is; empty if it cannot be read. */
  get outline(): Outline {
    this.readOutline ??= outlineOf(this.tree, this.kinds)
    return this.readOutline
  }

  get mentions(): readonly Mention[] {
    this.readMentions ??= this.tree === null ? [] : mentionsIn(this.tree, this.outline)
    return this.readMentions
  }

  /** Exactly what `sluice validate` says, as far as the world was asked. */
  get diagnostics(): readonly Diagnostic[] {
    const { diagnostics } = this.compiled()
    const start = ({ primary }: Diagnostic): number => primary.span.start
    return this.advice.length === 0
      ? diagnostics
      : [...diagnostics, ...this.advice].sort((a, b) => start(a) - start(b))
  }

  /** The pipeline of this very text, to ask the world about; null after a mistake. */
  get current(): Pipeline | null {
    return this.compiled().value ?? null
  }

  /** What the world has to say of the pipeline. */
  advise(advice: readonly Diagnostic[]): void {
    this.advice = advice
  }

  /** Of the last text that was checked and had no mistake: there is no time for that between two keystrokes. */
  get pipeline(): Pipeline | null {
    return this.checked?.value ?? this.remembered.pipeline
  }

  private compiled(): Checked<Pipeline> {
    this.checked ??= this.tooLong ? { diagnostics: [] } : compile(this.source, this.kinds, this.options)
    return this.checked
  }
}

function mapOf(source: Source): MapNode | null {
  const root = readYaml(source, [])
  return root?.type === 'map' ? root : null
}

/** As if the word that is being typed were one already. */
function filledUp({ path, text }: Source, { slot, start, end }: Cursor): Source {
  const colon = slot === 'key' && !/^\s*:/.test(text.slice(end, end + 8))
  return { path, text: `${text.slice(0, start)}x${colon ? ': x' : ''}${text.slice(end)}` }
}

/** Blanks the line, so that all other places stay what they are. */
function withoutLine({ path, text }: Source, offset: number): Source {
  const start = text.slice(0, offset).lastIndexOf('\n') + 1
  const newline = text.indexOf('\n', offset)
  const end = newline === -1 ? text.length : newline
  return { path, text: text.slice(0, start) + ' '.repeat(end - start) + text.slice(end) }
}
