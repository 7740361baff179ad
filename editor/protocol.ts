/** The part of the Language Server Protocol 3.17 that we speak, as data. */

/** Zero-based line and zero-based UTF-16 column. */
export interface Position {
  readonly line: number
  readonly character: number
}

export interface Range {
  readonly start: Position
  readonly end: Position
}

export interface Location {
  readonly uri: string
  readonly range: Range
}

export interface TextEdit {
  readonly range: Range
  readonly newText: string
}

export interface WorkspaceEdit {
  readonly changes: Readonly<Record<string, readonly TextEdit[]>>
}

export const SEVERITY = { error: 1, warning: 2, information: 3, hint: 4 } as const

export interface LspDiagnostic {
  readonly range: Range
  readonly severity: number
  readonly code: string
  readonly codeDescription?: { readonly href: string }
  readonly source: 'sluice'
  readonly message: string
  readonly relatedInformation?: readonly { readonly location: Location; readonly message: string }[]
}

export const ITEM = {
  function: 3,
  field: 5,
  variable: 6,
  module: 9,
  property: 10,
  value: 12,
  keyword: 14,
  reference: 18,
  constant: 21,
  event: 23,
} as const

export interface CompletionItem {
  readonly label: string
  readonly kind: number
  readonly detail?: string
  readonly documentation?: Markup
  /** Items are shown in the order of this text. */
  readonly sortText: string
  readonly filterText?: string
  readonly textEdit: TextEdit
}

export interface Markup {
  readonly kind: 'markdown'
  readonly value: string
}

export interface Hover {
  readonly contents: Markup
  readonly range: Range
}

export const SYMBOL = {
  file: 1,
  module: 2,
  namespace: 3,
  property: 7,
  function: 12,
  variable: 13,
  constant: 14,
  object: 19,
  key: 20,
  event: 24,
} as const

export interface DocumentSymbol {
  readonly name: string
  readonly detail?: string
  readonly kind: number
  readonly range: Range
  readonly selectionRange: Range
  readonly children?: readonly DocumentSymbol[]
}

export interface CodeAction {
  readonly title: string
  readonly kind: 'quickfix'
  readonly diagnostics: readonly LspDiagnostic[]
  readonly isPreferred: boolean
  readonly edit: WorkspaceEdit
}

/** JSON-RPC 2.0 and LSP error codes. */
export const ERROR = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  notInitialized: -32002,
  requestFailed: -32803,
  cancelled: -32800,
} as const

export type Id = number | string | null

export interface Message {
  readonly jsonrpc: '2.0'
  readonly id?: Id
  readonly method?: string
  readonly params?: unknown
  readonly result?: unknown
  readonly error?: { readonly code: number; readonly message: string }
}
