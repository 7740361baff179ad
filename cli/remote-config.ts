/** The `cache:` of `sluice.config.yaml`: a piece of the file in, checked settings and every mistake out. */
import type { Diagnostic } from '../dsl/diagnostic.ts'
import { A, kindOf } from '../dsl/problems/nouns.ts'
import { words } from '../dsl/problems/problem.ts'
import { unknownKey } from '../dsl/problems/text.ts'
import { notOneOf, wrongShape, wrongType } from '../dsl/problems/values.ts'
import type { Span } from '../dsl/source.ts'
import { didYouMean } from '../dsl/spelling.ts'
import { entryOf, isText, plainValue } from '../dsl/tree.ts'
import type { MapEntry, MapNode } from '../dsl/tree.ts'

export const MODES = ['pull', 'push', 'auto'] as const
export type Mode = (typeof MODES)[number]

export type Address =
  | { readonly type: 'folder'; readonly path: string }
  | { readonly type: 'http'; readonly url: URL }
  | { readonly type: 's3'; readonly bucket: string; readonly prefix: string }

/** A file that holds a public key, and where the configuration names it. */
export interface KeyFile {
  readonly path: string
  readonly span: Span
}

export interface RemoteConfig {
  readonly address: Address
  readonly mode: Mode
  /** For S3: another server than that of AWS. */
  readonly endpoint: string | null
  readonly region: string | null
  readonly trust: 'writers' | { readonly main: readonly KeyFile[]; readonly pr: readonly KeyFile[] }
}

const KEYS = ['remote', 'mode', 'trust', 'endpoint', 'region']
const SCOPES = ['main', 'pr']

/** Null if there is a mistake, which is then among the diagnostics. */
export function remoteConfigOf({ value, keySpan }: MapEntry, diagnostics: Diagnostic[]): RemoteConfig | null {
  const known = diagnostics.length
  const say = (problem: Diagnostic) => void diagnostics.push(problem)
  if (value.type !== 'map') {
    say(wrongType(value.span, 'cache', A.map, kindOf(plainValue(value))))
    return null
  }
  for (const entry of value.entries)
    if (!KEYS.includes(entry.key)) say(unknownKey(entry.keySpan, entry.key, 'cache', KEYS))
  const text = (key: string) => textOf(value, key, say)
  const remote = text('remote')
  const address = remote === null ? null : addressOf(remote.value, remote.span, say)
  if (entryOf(value, 'remote') === undefined)
    say(
      wrongShape(
        keySpan,
        'cache',
        words(
          'it lacks remote: a folder, https://… or s3://bucket/folder',
          '缺少 remote：文件夹、https://… 或 s3://bucket/folder',
        ),
      ),
    )
  const mode = text('mode')
  const chosen = MODES.find((each) => each === mode?.value)
  if (mode !== null && chosen === undefined)
    say(notOneOf(mode.span, 'mode', mode.value, didYouMean(mode.value, MODES), MODES))
  const endpoint = text('endpoint')
  if (endpoint !== null && !/^https?:\/\/[^/\s@]+\/?$/.test(endpoint.value))
    say(
      wrongShape(
        endpoint.span,
        'endpoint',
        words('for example https://minio.local:9000', '例如 https://minio.local:9000'),
      ),
    )
  const region = text('region')
  const trust = trustOf(value, address, keySpan, say)
  if (diagnostics.length > known || address === null || trust === null) return null
  return {
    address,
    mode: chosen ?? 'pull',
    endpoint: endpoint?.value ?? null,
    region: region?.value ?? null,
    trust,
  }
}

function textOf(
  map: MapNode,
  key: string,
  say: (problem: Diagnostic) => void,
): { readonly value: string; readonly span: Span } | null {
  const node = entryOf(map, key)?.value
  if (node === undefined) return null
  if (isText(node)) return { value: node.value, span: node.span }
  say(wrongType(node.span, key, A.text, kindOf(plainValue(node))))
  return null
}

const S3 = /^s3:\/\/(?<bucket>[a-z0-9][a-z0-9.-]*)(?:\/(?<prefix>.*))?$/

function addressOf(text: string, span: Span, say: (problem: Diagnostic) => void): Address | null {
  const s3 = S3.exec(text)?.groups
  if (s3 !== undefined)
    return {
      type: 's3',
      bucket: s3['bucket'] ?? '',
      prefix: (s3['prefix'] ?? '').replaceAll(/^\/+|\/+$/g, ''),
    }
  if (!text.includes('://') && text !== '') return { type: 'folder', path: text }
  const url = /^https?:/.test(text) && URL.canParse(text) ? new URL(text) : null
  if (url !== null && (url.username !== '' || url.password !== '')) {
    const wish = words(
      'this file is committed: put what lets you in into SLUICE_REMOTE_AUTHORIZATION',
      '这个文件会提交到 git：访问凭据请放进环境变量 SLUICE_REMOTE_AUTHORIZATION',
    )
    say(wrongShape(span, 'remote', wish))
    return null
  }
  if (url !== null && url.search === '' && url.hash === '') return { type: 'http', url }
  say(
    wrongShape(
      span,
      'remote',
      words('a folder, https://… or s3://bucket/folder', '文件夹、https://… 或 s3://bucket/folder'),
    ),
  )
  return null
}

/** Nothing needs a signature in a folder: who may write there is decided by its owner. Elsewhere it has to be said. */
function trustOf(
  map: MapNode,
  address: Address | null,
  keySpan: Span,
  say: (problem: Diagnostic) => void,
): RemoteConfig['trust'] | null {
  const node = entryOf(map, 'trust')?.value
  if (node === undefined) {
    if (address === null || address.type === 'folder') return 'writers'
    say(
      wrongShape(
        keySpan,
        'cache',
        words(
          'it lacks trust: { main: keys/main.pub }, whose results count',
          '缺少 trust: { main: keys/main.pub }，即信任谁的结果',
        ),
      ),
    )
    return null
  }
  if (isText(node) && node.value === 'writers') return 'writers'
  if (node.type !== 'map') {
    const wish = words(
      '{ main: keys/main.pub }, or writers: all who may write there',
      '{ main: keys/main.pub }，或 writers：信任所有能写入的人',
    )
    say(wrongShape(node.span, 'trust', wish))
    return null
  }
  for (const { key, keySpan: at } of node.entries)
    if (!SCOPES.includes(key)) say(unknownKey(at, key, 'trust', SCOPES))
  if (entryOf(node, 'main') === undefined)
    say(wrongShape(node.span, 'trust', words('it lacks main: keys/main.pub', '缺少 main: keys/main.pub')))
  return { main: keyFiles(node, 'main', say), pr: keyFiles(node, 'pr', say) }
}

function keyFiles(map: MapNode, key: string, say: (problem: Diagnostic) => void): readonly KeyFile[] {
  const node = entryOf(map, key)?.value
  if (node === undefined) return []
  const files = node.type === 'list' ? node.items : [node]
  return files.flatMap((file) => {
    if (isText(file)) return [{ path: file.value, span: file.span }]
    say(wrongType(file.span, `trust.${key}`, A.text, kindOf(plainValue(file))))
    return []
  })
}
