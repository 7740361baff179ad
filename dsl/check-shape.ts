/** Validates the options of a stage against its kind's JSON Schema; the only file that knows ajv. */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { ABSENT_OPTIONS, OPTION_ALIASES } from './aliases.ts'
import type { Diagnostic } from './diagnostic.ts'
import { fits } from './fits.ts'
import { own } from './own.ts'
import * as problems from './problems/values.ts'
import { A } from './problems/nouns.ts'
import { words } from './problems/problem.ts'
import type { Span } from './source.ts'
import { didYouMean } from './spelling.ts'
import type { Json, JsonObject } from './stage-signature.ts'
import { entryOf, plainValue, type MapEntry, type Node } from './tree.ts'
import { readQuantity } from './units.ts'
import type { Words } from './words.ts'

export interface Shaped {
  /** The kind's name, for messages. */
  readonly kind: string
  readonly schema: JsonObject
  /** Options as the worker will get them: values computed, units converted, defaults filled in. */
  readonly value: JsonObject
  /** Top-level options that have a message already. */
  readonly poisoned: ReadonlySet<string>
  /** The options as written; null if there is no `with:`. */
  readonly tree: Node | null
  /** Where to point when something is missing altogether. */
  readonly fallback: Span
  /** Another kind that has this option. */
  readonly elsewhere: (option: string) => string | null
}

let ajv: Ajv2020 | undefined
const compiled = new WeakMap<JsonObject, ValidateFunction>()

function validatorOf(schema: JsonObject): ValidateFunction {
  const known = compiled.get(schema)
  if (known !== undefined) return known
  // Not strict: `x-type` and `x-wish` are our own keywords. Formats are not used.
  ajv ??= new Ajv2020({
    allErrors: true,
    verbose: true,
    strict: false,
    validateFormats: false,
    // A schema is the kind's author's business, and the tests'; checking it takes longer than all the rest.
    meta: false,
    validateSchema: false,
    // A validator runs a few times, so its code need not be good.
    code: { optimize: false },
  })
  const validator = ajv.compile(schema)
  compiled.set(schema, validator)
  return validator
}

/** What keeps a text of somebody else from being a JSON Schema; null if it is one. */
export function schemaFault(schema: JsonObject): string | null {
  const strict = new Ajv2020({ strict: false, validateFormats: false })
  try {
    strict.compile(schema)
    return null
  } catch (error) {
    return (error as Error).message
  }
}

/** Pushes a problem per mistake, at most one per option, and returns the names of the options that have one. */
export function checkShape(shaped: Shaped, out: Diagnostic[]): ReadonlySet<string> {
  const bad = new Set<string>()
  // Most options are right, and ajv takes longer to compile one schema than this takes for a whole file.
  if (fits(shaped.schema, shaped.value) === true) return bad
  const validate = validatorOf(shaped.schema)
  if (validate(shaped.value)) return bad
  const depth = (error: ErrorObject): number => error.instancePath.split('/').length
  // Of several alternatives that do not fit, the one that got furthest was meant.
  const errors = (validate.errors ?? []).filter((error) => error.keyword !== 'if')
  for (const error of errors.sort((a, b) => depth(b) - depth(a))) {
    const path = error.instancePath.split('/').slice(1).map(unescapePointer)
    const top = path[0] ?? nameIn(error)
    if (top !== null && (shaped.poisoned.has(top) || bad.has(top))) continue
    if (top !== null) bad.add(top)
    out.push(problemOf(error, path, shaped))
  }
  return bad
}

function nameIn(error: ErrorObject): string | null {
  const params = error.params as Readonly<Record<string, unknown>>
  const name = params['additionalProperty'] ?? params['missingProperty'] ?? params['propertyName']
  return typeof name === 'string' ? name : null
}

function problemOf(error: ErrorObject, path: readonly string[], shaped: Shaped): Diagnostic {
  const params = error.params as Readonly<Record<string, unknown>>
  const { entry, node } = follow(shaped.tree, path)
  const span = node?.span ?? shaped.fallback
  const option = path
    .map((part, i) => (/^\d+$/.test(part) ? `[${part}]` : i === 0 ? part : `.${part}`))
    .join('')
  const properties = schemaAt(shaped.schema, path.slice())['properties']
  const known = isObject(properties) ? Object.keys(properties) : []
  switch (error.keyword) {
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const name = nameIn(error) ?? ''
      const keySpan = node?.type === 'map' ? (entryOf(node, name)?.keySpan ?? span) : span
      // Deeper keys are the user's own words; the tables are about options.
      const facts =
        path.length === 0 ? factsAbout(name, known, shaped) : { ...NOTHING, near: didYouMean(name, known) }
      return problems.unknownOption(keySpan, shaped.kind, name, facts, known)
    }
    case 'required':
      return problems.missingOption(
        entry?.keySpan ?? (node === null ? shaped.fallback : headOf(node.span)),
        shaped.kind,
        [...path, nameIn(error) ?? ''].join('.'),
      )
    case 'enum':
    case 'const': {
      const allowed: readonly unknown[] = Array.isArray(params['allowedValues'])
        ? params['allowedValues']
        : [params['allowedValue']]
      const words = allowed.map((each) => (typeof each === 'string' ? each : JSON.stringify(each)))
      const written = shown(node, error.data)
      return problems.notOneOf(span, option, written, didYouMean(written, words), words)
    }
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum': {
      const schema = schemaAt(shaped.schema, path)
      return problems.outOfRange(
        span,
        option,
        shown(node, error.data),
        boundsOf(schema),
        hintFor(schema, error.data),
      )
    }
    case 'type': {
      const wanted = Array.isArray(params['type']) ? params['type'].join(' or ') : String(params['type'])
      if (/number|integer/.test(wanted) && typeof error.data === 'string')
        return problems.notANumber(span, shown(node, error.data), guessNumber(error.data))
      if (wanted === 'boolean') return problems.notTruth(span, option, shown(node, error.data))
      return problems.wrongType(span, option, typeWords(wanted), shown(node, error.data))
    }
    default:
      return problems.wrongShape(
        span,
        option === '' ? shaped.kind : option,
        wishOf(error, schemaAt(shaped.schema, path)),
      )
  }
}

const NOTHING: problems.OptionFacts = { near: null, whose: null, elsewhere: null, absent: null }

function factsAbout(name: string, known: readonly string[], shaped: Shaped): problems.OptionFacts {
  const alias = own(OPTION_ALIASES, name)
  if (alias !== undefined && known.includes(alias.ours))
    return { ...NOTHING, near: alias.ours, whose: alias.whose }
  // A slip of the pen is likelier than a setting that moved house.
  const near = didYouMean(name, known)
  const absent = own(ABSENT_OPTIONS, name)
  const option = alias?.ours ?? name
  const kind = shaped.elsewhere(option)
  if (kind !== null && (alias !== undefined || near === null))
    return { ...NOTHING, whose: alias?.whose ?? null, elsewhere: { kind, option } }
  if (absent !== undefined) return { ...NOTHING, absent }
  return { ...NOTHING, near }
}

function headOf(span: Span): Span {
  return { source: span.source, start: span.start, end: Math.min(span.end, span.start + 1) }
}

function unescapePointer(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~')
}

function follow(tree: Node | null, path: readonly string[]): { entry: MapEntry | null; node: Node | null } {
  let node = tree
  let entry: MapEntry | null = null
  for (const part of path) {
    if (node?.type === 'map') {
      entry = entryOf(node, part) ?? null
      node = entry?.value ?? null
    } else if (node?.type === 'list') node = node.items[Number(part)] ?? null
    else return { entry, node }
  }
  return { entry, node }
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isWords(value: Json | undefined): value is JsonObject & Words {
  return isObject(value) && typeof value['en'] === 'string' && typeof value['zh'] === 'string'
}

/** The subschema of a path, as far as `properties` and `items` lead; an empty schema beyond. */
export function schemaAt(schema: JsonObject, path: readonly string[]): JsonObject {
  let current = schema
  for (const part of path) {
    const properties = current['properties']
    const property = isObject(properties) ? own(properties, part) : undefined
    const next = property ?? current['items'] ?? current['additionalProperties']
    if (!isObject(next)) return {}
    current = next
  }
  return current
}

function shown(node: Node | null, data: unknown): string {
  if (node?.type === 'scalar' && typeof node.value === 'string') return node.value
  if (node?.type === 'scalar') return node.raw === '' ? 'nothing' : node.raw
  const text = JSON.stringify(node === null || node.type === 'poison' ? data : plainValue(node))
  return text.length > 40 ? `${text.slice(0, 39)}…` : text
}

function boundsOf(schema: JsonObject): problems.Bounds {
  const number = (key: string): number | null => {
    const value = schema[key]
    return typeof value === 'number' ? value : null
  }
  const openLow = number('exclusiveMinimum')
  const openHigh = number('exclusiveMaximum')
  return {
    low: number('minimum') ?? openLow,
    high: number('maximum') ?? openHigh,
    openLow: number('minimum') === null && openLow !== null,
    openHigh: number('maximum') === null && openHigh !== null,
  }
}

/** Five written where a fraction belongs was probably meant as percent. */
function hintFor(schema: JsonObject, data: unknown): Words | null {
  const fraction = (schema['maximum'] ?? schema['exclusiveMaximum']) === 1
  if (!fraction || typeof data !== 'number' || data <= 1 || data > 100) return null
  return problems.percentHint(data, schema['x-type'] === 'ratio')
}

/** `2-e4`, `1,000`, `2e4x`: the number that was probably meant. */
export function guessNumber(text: string): string | null {
  const swapped = /^(\d+(?:\.\d+)?)-[eE](\d+)$/.exec(text)
  if (swapped) return `${swapped[1]}e-${swapped[2]}`
  for (const candidate of [text.replace(/[,_ ]/g, ''), text.replace(/[oO]/g, '0'), text.replace(',', '.')]) {
    if (candidate === text) continue
    const read = readQuantity(candidate)
    if (read.type === 'quantity' && read.unit === null) return candidate
  }
  const percent = readQuantity(text)
  if (percent.type === 'quantity' && percent.unit === '%') return String(percent.value)
  return null
}

function typeWords(type: string): Words {
  const known: Readonly<Record<string, Words>> = {
    integer: A.whole,
    number: A.number,
    string: A.text,
    boolean: A.truth,
    array: A.list,
    object: A.map,
    null: A.none,
  }
  const each = type.split(' or ').map((name) => known[name] ?? words(name, name))
  return words(each.map(({ en }) => en).join(' or '), each.map(({ zh }) => zh).join('或'))
}

/** What a rule of the schema asks for; what JSON Schema calls it stays between us and the kind's author. */
function wishOf(error: ErrorObject, schema: JsonObject): Words {
  const params = error.params as Readonly<Record<string, unknown>>
  const limit = String(params['limit'])
  switch (error.keyword) {
    case 'minItems':
      return words(`at least ${limit} of them`, `至少 ${limit} 项`)
    case 'maxItems':
      return words(`at most ${limit} of them`, `至多 ${limit} 项`)
    case 'uniqueItems':
      return words('the same thing stands here twice', '有重复的项')
    case 'minLength':
      return limit === '1'
        ? words('it is empty', '不能为空')
        : words(`at least ${limit} characters`, `至少 ${limit} 个字符`)
    case 'pattern':
      // A kind may say it in words, which a pattern seldom does by itself.
      if (isWords(schema['x-wish'])) return schema['x-wish']
      return words(`it has to look like ${String(params['pattern'])}`, `要符合 ${String(params['pattern'])}`)
    default: {
      const says = error.message ?? error.keyword
      return words(`it ${says}`, `规则：${says}`)
    }
  }
}
