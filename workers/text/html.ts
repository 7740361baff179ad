/** Takes HTML out of a text: tags, comments, scripts and styles go, character references become what they stand for. */

/** Elements that end a line; `td` and `th` a word. All others vanish without a trace. */
const LINES =
  'address article aside blockquote br caption dd div dl dt fieldset figcaption figure footer form h[1-6] header hr ' +
  'html li main nav ol option p pre section table tbody tfoot thead title tr ul'
const CELLS = 'td th'
const OTHERS =
  'a abbr audio b base bdi bdo big body button canvas center cite code col colgroup del em embed font head i iframe ' +
  'img input ins kbd label legend link map mark meta noscript object param picture q rp rt ruby s samp select small ' +
  'source span strike strong sub sup svg textarea time tt u var video wbr'
/** Whose content is no text either. */
const UNSEEN = 'script style template'

const names = (list: string): string => list.replaceAll(' ', '|')
/** Attributes: quoted text may hold a `>`. */
const REST = `(?:[\\s/](?:[^<>"']|"[^"]*"|'[^']*')*)?>`
const tag = (list: string): RegExp => new RegExp(`</?(?:${names(list)})${REST}`, 'giu')

const HIDDEN = new RegExp(`<!--|<!doctype[^>]*>|<(?<name>${names(UNSEEN)})${REST}`, 'giu')
const LINE_TAG = tag(LINES)
const CELL_TAG = tag(CELLS)
const OTHER_TAG = tag(`${OTHERS} ${UNSEEN}`)

const REFERENCES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  ensp: ' ',
  emsp: ' ',
  middot: '·',
  hellip: '…',
  mdash: '—',
  ndash: '–',
  ldquo: '“',
  rdquo: '”',
  lsquo: '‘',
  rsquo: '’',
  yen: '¥',
  copy: '©',
  times: '×',
}
const REFERENCE = /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-z]{2,6}));/g
const MOST = 0x10ffff

/** A text of which more is markup than this, and that is longer than a phrase, is a page and no answer. */
const MOSTLY = 0.8
const PHRASE = 200

export interface WithoutHtml {
  readonly text: string
  /** Nothing but markup, or a long text of which more than four fifths are markup. */
  readonly mostlyMarkup: boolean
}

/** Only tags of HTML count: `a < b`, `<name>` and `List<T>` stay. References are read once, after the tags. */
export function withoutHtml(text: string): WithoutHtml {
  if (!/[<&]/.test(text)) return { text, mostlyMarkup: false }
  const bare = withoutHidden(text).replace(OTHER_TAG, '').replace(CELL_TAG, ' ').replace(LINE_TAG, '\n')
  const left = bare.replace(/\s+/g, '').length
  const before = text.replace(/\s+/g, '').length
  const mostlyMarkup =
    before > 0 && left < before && (left === 0 || (text.length > PHRASE && left < (1 - MOSTLY) * before))
  if (bare === text) return { text: decoded(text), mostlyMarkup }
  return { text: decoded(bare.replace(/[ \t]*\n[ \t]*(?:\n[ \t]*)*/g, '\n').trim()), mostlyMarkup }
}

/** Without comments and what a browser does not show. One that is never closed hides nothing: a text may speak of it. */
function withoutHidden(text: string): string {
  const kept: string[] = []
  const open = new Set<string>()
  let from = 0
  for (const match of text.matchAll(HIDDEN)) {
    const name = match.groups?.['name']?.toLowerCase() ?? (match[0] === '<!--' ? '--' : '')
    if (match.index < from || open.has(name)) continue
    const end = name === '' ? match.index + match[0].length : endOf(name, text, match.index + match[0].length)
    if (end < 0) {
      open.add(name)
      continue
    }
    kept.push(text.slice(from, match.index))
    from = end
  }
  return kept.join('') + text.slice(from)
}

function endOf(name: string, text: string, start: number): number {
  const close = name === '--' ? /-->/g : new RegExp(`</${name}\\s*>`, 'gi')
  close.lastIndex = start
  return close.test(text) ? close.lastIndex : -1
}

function decoded(text: string): string {
  return text.replace(REFERENCE, (whole, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return Object.hasOwn(REFERENCES, name) ? (REFERENCES[name] ?? whole) : whole
    const point = decimal === undefined ? parseInt(hex ?? '', 16) : Number(decimal)
    const character = point > 0 && point <= MOST && !(point >= 0xd800 && point <= 0xdfff)
    return character ? String.fromCodePoint(point) : whole
  })
}
