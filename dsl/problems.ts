/** Every mistake a user can make in a pipeline file, one function each: the words, the facts and the fix. */
import type { Bounds } from './check-shape.ts'
import type { Diagnostic, Label } from './diagnostic.ts'
import { slugOf } from './slug.ts'
import type { Span } from './source.ts'
import { didYouMean } from './spelling.ts'
import type { ArtifactType, MetricSchema } from './stage-signature.ts'

interface More {
  readonly secondary?: readonly Label[]
  readonly notes?: readonly string[]
  readonly help?: readonly string[]
}

function problem(code: string, message: string, span: Span, label: string, more: More = {}): Diagnostic {
  return {
    code,
    severity: code.startsWith('W') ? 'warning' : 'error',
    message,
    primary: { span, text: label },
    secondary: more.secondary ?? [],
    notes: more.notes ?? [],
    help: more.help ?? [],
  }
}

const meant = (near: string | null, otherwise: string): string =>
  near === null ? otherwise : `did you mean '${near}'?`

const list = (words: readonly string[]): string => (words.length === 0 ? 'none' : words.join(' '))

const number = (value: number): string =>
  value === Infinity ? '∞' : value === -Infinity ? '-∞' : String(Number(value.toPrecision(6)))

// ---- E0xx: text

export function tabIndent(span: Span): Diagnostic {
  return problem('E001', 'tabs cannot indent YAML', span, 'this line is indented with a tab', {
    help: [`replace the tab with spaces, or run: sluice fmt ${span.source.path}`],
  })
}

export function colonInText(span: Span, key: string, text: string): Diagnostic {
  return problem(
    'E002',
    'this text has to be quoted',
    span,
    'a colon followed by a space starts a nested mapping',
    {
      help: [`${key}: ${JSON.stringify(text)}`],
    },
  )
}

export function unknownKey(span: Span, key: string, what: string, known: readonly string[]): Diagnostic {
  const near = didYouMean(key, known)
  return problem('E003', `'${key}' is not a ${what} key`, span, meant(near, 'unknown key'), {
    help: [`${what} keys: ${list(known)}`],
  })
}

export function duplicateKey(span: Span, key: string, first: Span): Diagnostic {
  return problem('E004', `'${key}' is written twice`, span, 'second one, this would replace the first', {
    secondary: [{ span: first, text: 'first one' }],
    help: [
      'delete one of them; a second stage of the same kind needs another name:  my-eval: { uses: eval }',
    ],
  })
}

export function tagSign(span: Span, read: string): Diagnostic {
  return problem(
    'E005',
    "'!' is YAML's tag sign, so YAML would silently delete it",
    span,
    'this is not a negation',
    { notes: [`YAML reads this as "${read}"`], help: ['negation is a word here:  not (…)'] },
  )
}

export function bracesValue(span: Span, text: string): Diagnostic {
  const inner = /\$\{\{\s*(.*?)\s*\}\}/.exec(text)?.[1] ?? '…'
  return problem('E006', "values are computed with '=', not '${{ }}'", span, `write: =${inner}`, {
    notes: ['inside { } YAML would even misread the braces'],
  })
}

export function splitExpression(span: Span, key: string | null, whole: string): Diagnostic {
  return problem(
    'E007',
    'YAML split this expression at the comma',
    span,
    `an expression with a comma needs quotes inside ${key === null ? '[ ]' : '{ }'}`,
    { help: [key === null ? `["${whole}"]` : `${key}: "${whole}"`] },
  )
}

export function notYaml(span: Span, code: string, message: string): Diagnostic {
  return problem(
    'E008',
    'YAML cannot read this',
    span,
    plainWords(/must be .*end with/.test(message) ? 'MISSING_CHAR' : code),
    {
      notes: [`YAML says: ${message.split('\n')[0] ?? message}`],
    },
  )
}

export function oddKey(span: Span): Diagnostic {
  return problem('E008', 'a key has to be a word', span, 'not a word')
}

export function severalDocuments(span: Span): Diagnostic {
  return problem('E008', 'a file holds one pipeline', span, 'a second document starts here', {
    help: ['move it to a file of its own'],
  })
}

export function operatorFirst(span: Span, line: string): Diagnostic {
  const quoted = line.replace(/^- /, '').replace(/:\s*/, ' ')
  return problem('E008', 'YAML cannot read this', span, "'>' and '|' start a text block in YAML", {
    help: [`a check is one sentence:  - ${quoted}`],
  })
}

export function nameIsNotFile(span: Span, name: string, file: string): Diagnostic {
  return problem('E009', `the file is called '${file}', this says '${name}'`, span, `write: ${file}`, {
    help: [`name: ${file}`, `or rename the file to ${name}.pipeline.yaml`],
  })
}

export function tooDeep(span: Span): Diagnostic {
  return problem('E010', 'this is nested too deeply', span, 'deeper than any pipeline needs')
}

export function tooManyAliases(span: Span): Diagnostic {
  return problem(
    'E010',
    'these aliases unfold to too much',
    span,
    'the limit is 20 000 values, 60 levels deep',
    {
      help: ['write the repeated part out, or make it smaller'],
    },
  )
}

export function unknownAlias(span: Span, name: string): Diagnostic {
  return problem('E010', `nothing is anchored as '${name}'`, span, `'*' reads a value marked with '&'`, {
    help: ['text that starts with * needs quotes'],
  })
}

export function mergeKey(span: Span): Diagnostic {
  return problem('E011', "'<<' is not part of the language", span, 'YAML 1.2 has no merge key', {
    help: ['what all stages share goes under defaults:'],
  })
}

export function flowReadAsList(span: Span, text: string): Diagnostic {
  return problem(
    'E012',
    'YAML read the flow line as a list',
    span,
    "a line that starts with '[' needs quotes",
    {
      help: [`flow: "${text}"`],
    },
  )
}

export function flowAsList(span: Span, words: string): Diagnostic {
  return problem(
    'E012',
    'flow is one line of arrows, this is a list',
    span,
    "say what feeds what with '->'",
    {
      help: [`flow: ${words}`],
    },
  )
}

export function sourceTwice(span: Span, name: string, first: Span): Diagnostic {
  return problem('E013', `the source '${name}' is declared twice`, span, 'second one', {
    secondary: [{ span: first, text: 'first one' }],
    notes: ["'model:' and 'data:' at the top are short for sources of those names"],
  })
}

export function badName(span: Span, name: string, what: string): Diagnostic {
  return problem(
    'E014',
    `'${name}' cannot be the name of ${what}`,
    span,
    'names are lower case words joined by -',
    {
      help: [`for example: ${slugOf(name)}`],
    },
  )
}

export function reservedName(span: Span, name: string): Diagnostic {
  return problem('E015', `'${name}' has a meaning of its own`, span, 'a stage needs another name', {
    help: [`for example: my-${name}`],
  })
}

export function missingKey(span: Span, key: string, line: string): Diagnostic {
  return problem('E016', `${key} is missing`, span, `a pipeline file says its ${key}`, { help: [line] })
}

export function wrongVersion(span: Span, written: string): Diagnostic {
  return problem(
    'E017',
    `version '${written}' of the language is not known`,
    span,
    'this Sluice knows version 1',
    {
      help: ['version: 1'],
    },
  )
}

export function emptyFile(span: Span): Diagnostic {
  return problem('E018', 'the file is empty', span, 'nothing here', { help: ['start one with: sluice init'] })
}

export function notAPipeline(span: Span): Diagnostic {
  return problem('E018', 'this is not a pipeline', span, 'a pipeline file is a map of keys', {
    help: ['version: 1', 'name: my-pipeline', 'flow: clean -> split'],
  })
}

export function nothingToDo(span: Span): Diagnostic {
  return problem('E018', 'the pipeline has no stages', span, 'neither flow: nor stages:', {
    help: ['flow: clean -> split -> tokenize -> lora-train -> eval -> gate'],
  })
}

// ---- E1xx: values

export function unknownOption(
  span: Span,
  kind: string,
  name: string,
  near: string | null,
  whose: string | null,
  known: readonly string[],
): Diagnostic {
  const label =
    whose !== null && near !== null ? `here it is called '${near}'` : meant(near, 'unknown option')
  return problem('E101', `${kind} has no option '${name}'`, span, label, {
    notes: whose === null ? [] : [`'${name}' is ${whose}`],
    help: [
      known.length === 0 ? `${kind} takes no options` : `options: ${list(known)}  (sluice explain ${kind})`,
    ],
  })
}

export function notANumber(span: Span, text: string, near: string | null): Diagnostic {
  const value = near === null ? NaN : Number(near)
  const shown = Number.isNaN(value) || String(value) === near ? '' : ` (${value})`
  const label = near === null ? 'a number is expected here' : `did you mean ${near}${shown}?`
  return problem('E102', `'${text}' is not a number`, span, label)
}

export function outOfRange(
  span: Span,
  name: string,
  written: string,
  bounds: Bounds,
  hint: string | null,
): Diagnostic {
  const { low, high, openLow, openHigh } = bounds
  const least = low === null ? null : `${openLow ? 'more than' : 'at least'} ${low}`
  const most = high === null ? null : `${openHigh ? 'less than' : 'at most'} ${high}`
  const what =
    low === 0 && high === 1
      ? 'a fraction between 0 and 1'
      : [least, most].filter((each) => each !== null).join(' and ') || 'something else'
  const range = `${low ?? '-∞'} … ${high ?? '∞'}`
  return problem('E103', `${name} is ${what}`, span, `${written} is outside ${range}`, {
    help: hint === null ? [] : [hint],
  })
}

export function missingUnit(span: Span, written: string, what: 'duration' | 'bytes' | 'ratio'): Diagnostic {
  const bytes = what === 'bytes'
  return problem(
    'E104',
    `${written} of what?`,
    span,
    bytes ? 'a size needs a unit' : 'a duration needs a unit',
    {
      help: [bytes ? `${written}GB or ${written}GiB` : `${written}s, ${written}m or ${written}h`],
    },
  )
}

export function wrongUnit(span: Span, written: string, what: 'duration' | 'bytes' | 'ratio'): Diagnostic {
  const nouns = {
    duration: 'a duration like 30s, 10m or 6h',
    bytes: 'a size like 16GB',
    ratio: 'a share like 80% or 0.8',
  }
  return problem(
    'E104',
    `'${written}' is not ${nouns[what].split(' like')[0] ?? ''}`,
    span,
    `write ${nouns[what]}`,
  )
}

export function unknownUnit(span: Span, unit: string, near: string | null): Diagnostic {
  return problem('E104', `there is no unit '${unit}'`, span, meant(near, 'unknown unit'), {
    help: ['units: %   ms s m h d   B KB MB GB TB KiB MiB GiB TiB'],
  })
}

export function unknownParam(span: Span, name: string, known: readonly string[]): Diagnostic {
  return problem(
    'E105',
    `there is no parameter '${name}'`,
    span,
    meant(didYouMean(name, known), 'unknown parameter'),
    {
      help: [`parameters of this file: ${list(known)}`],
    },
  )
}

export function unknownOverride(
  span: Span,
  name: string,
  near: string | null,
  known: readonly string[],
): Diagnostic {
  return problem(
    'E105',
    `-p ${name}: there is no parameter '${name}'`,
    span,
    meant(near, 'not declared here'),
    {
      help: [known.length === 0 ? `params: { ${name}: 1 }` : `parameters of this file: ${list(known)}`],
    },
  )
}

export function unknownValueName(span: Span, name: string, near: string | null): Diagnostic {
  return problem('E106', `'${name}' is not known in a value`, span, meant(near, 'unknown name'), {
    help: ["a value can use params.<name>, pipeline.name and none; text needs quotes: ='text'"],
  })
}

export function wrongOperand(span: Span, wanted: string, found: string): Diagnostic {
  return problem('E107', `this has to be ${wanted}`, span, `this is ${found}`)
}

export function emptyValue(span: Span): Diagnostic {
  return problem('E107', "nothing follows the '='", span, 'an expression is expected', {
    help: ['=params.lr * 2', 'text that starts with = is written with two: "==…"'],
  })
}

export function checkWordInValue(span: Span): Diagnostic {
  return problem('E107', 'this belongs in a check, not in a value', span, 'no metrics are known yet here')
}

export function divisionByZero(span: Span): Diagnostic {
  return problem('E108', 'this divides by zero', span, 'the divisor is 0')
}

export function tooLarge(span: Span): Diagnostic {
  return problem('E108', 'the result is not a finite number', span, 'too large')
}

export function wrongType(span: Span, name: string, wanted: string, found: string): Diagnostic {
  return problem('E109', `${name} has to be ${wanted}`, span, `this is ${found}`)
}

export function wrongShape(span: Span, name: string, message: string): Diagnostic {
  return problem('E109', `${name} does not have the right form`, span, `it ${message}`)
}

// ---- E1xx: graph

export function unknownStage(
  span: Span,
  name: string,
  near: string | null,
  stages: readonly string[],
  kinds: readonly string[],
): Diagnostic {
  return problem('E110', `no stage or stage kind is called '${name}'`, span, meant(near, 'unknown'), {
    help: [`stages in this file: ${list(stages)}`, `stage kinds:         ${list(kinds)}`],
  })
}

export function unknownKind(
  span: Span,
  name: string,
  isStageName: boolean,
  near: string | null,
  kinds: readonly string[],
): Diagnostic {
  const help = [`stage kinds: ${list(kinds)}`]
  if (isStageName || near === null)
    help.unshift(`a stage with a name of its own says its kind:  ${name}: { uses: … }`)
  return problem('E110', `no stage kind is called '${name}'`, span, meant(near, 'unknown stage kind'), {
    help,
  })
}

export function otherVersion(span: Span, written: string, kind: string, version: string): Diagnostic {
  const major = version.split('.')[0] ?? version
  return problem('E110', `'${written}' is not installed`, span, `installed: ${kind}@${version}`, {
    help: [`uses: ${kind}@${major}`],
  })
}

export function cycle(path: readonly string[], labels: readonly Label[]): Diagnostic {
  const [first, ...rest] = labels
  if (first === undefined) throw new Error('a cycle has at least one edge')
  const self = path.length === 1
  const message = self ? `'${path[0] ?? ''}' waits for itself` : 'these stages wait for each other'
  return problem('E111', message, first.span, first.text, {
    secondary: rest,
    notes: [
      [...path]
        .reverse()
        .concat(path.at(-1) ?? '')
        .join(' → '),
    ],
    help: [self ? 'remove the reference' : `break one of the ${path.length} references`],
  })
}

export function unknownOutput(
  span: Span,
  stage: string,
  port: string,
  near: string | null,
  kind: string,
  makes: readonly (readonly [string, ArtifactType])[],
): Diagnostic {
  const label = near === null ? 'unknown output' : `did you mean '${stage}.${near}'?`
  const made = makes.map(([name, type]) => `${name} (${type})`).join(', ')
  return problem('E112', `'${stage}' has no output '${port}'`, span, label, {
    notes: [`${kind} makes: ${made === '' ? 'nothing' : made}`],
  })
}

export function unknownInput(
  span: Span,
  stage: string,
  port: string,
  near: string | null,
  ports: readonly string[],
): Diagnostic {
  return problem('E112', `'${stage}' has no input '${port}'`, span, meant(near, 'unknown input'), {
    help: [`inputs: ${list(ports)}`],
  })
}

export function unknownSource(
  span: Span,
  name: string,
  near: string | null,
  names: readonly string[],
): Diagnostic {
  return problem('E112', `there is no source '${name}'`, span, meant(near, 'unknown source'), {
    help: [`sources in this file: ${list(names)}`],
  })
}

export function wrongArtifact(
  span: Span,
  stage: string,
  wanted: ArtifactType,
  found: string,
  made: Span,
  better: string | null,
): Diagnostic {
  const noun = wanted === 'adapter' ? 'an adapter' : /s$/.test(wanted) ? wanted : `a ${wanted}`
  return problem('E113', `'${stage}' wants ${noun} here, this is ${found}`, span, found, {
    secondary: [{ span: made, text: 'made here' }],
    help: better === null ? [] : [`this would fit: ${better}`],
  })
}

export function tie(
  span: Span,
  stage: string,
  type: ArtifactType,
  names: readonly string[],
  places: readonly Span[],
  gate: boolean,
): Diagnostic {
  const quoted = names.map((name) => `'${name}'`).join(' or ')
  const last = names.at(-1) ?? ''
  return problem('E114', `'${stage}' could read ${type} from ${quoted}`, span, 'they are equally near', {
    secondary: places
      .filter((place) => place.start !== span.start)
      .map((place) => ({ span: place, text: '' })),
    help: gate
      ? [
          `name the yardstick:  stages.${stage}.baseline: ${last}`,
          `or name the judged one:  stages.${stage}.metrics: ${names[0] ?? ''}`,
        ]
      : [`say which one:  stages.${stage}.inputs: { ${type}: ${names[0] ?? ''} }`],
  })
}

export function severalOutputs(span: Span, stage: string, outputs: readonly string[]): Diagnostic {
  return problem('E114', `'${stage}' has several outputs that would fit`, span, 'which one?', {
    help: [`one of: ${list(outputs)}`],
  })
}

export function severalSources(
  span: Span,
  stage: string,
  port: string,
  type: ArtifactType,
  names: readonly string[],
): Diagnostic {
  return problem('E114', `'${stage}' could read ${type} from several sources`, span, 'which one?', {
    help: names.map((name) => `stages.${stage}.inputs: { ${port}: sources.${name} }`),
  })
}

export function nothingMakes(
  span: Span,
  stage: string,
  port: string,
  type: ArtifactType,
  later: Label | null,
  laterName: string | null,
): Diagnostic {
  const noun = /s$/.test(type) ? type : type === 'adapter' ? 'an adapter' : `a ${type}`
  return problem(
    'E115',
    `'${stage}' needs ${noun}, and nothing before it makes any`,
    span,
    later === null ? `nothing to read for '${port}'` : 'runs too early',
    {
      secondary: later === null ? [] : [later],
      help:
        laterName !== null
          ? [`put ${laterName} before ${stage} in the flow line`]
          : type === 'dataset'
            ? ['data: data/*.jsonl']
            : type === 'model' || type === 'corpus'
              ? [`sources: { my-${type}: { type: ${type}, from: path/to/it } }`]
              : [`stages.${stage}.inputs: { ${port}: <stage>.<output> }`],
    },
  )
}

export function unwiredOutsideFlow(span: Span, stage: string, port: string, type: ArtifactType): Diagnostic {
  return problem(
    'E115',
    `'${stage}' is not in flow, and nothing feeds its '${port}'`,
    span,
    `needs ${type}`,
    {
      help: [`stages.${stage}.inputs: { ${port}: <stage>.<output> }`, `or name ${stage} in the flow line`],
    },
  )
}

export function differentOrigin(
  span: Span,
  what: 'adapter' | 'tokens',
  stage: string,
  thingOrigin: string,
  modelOrigin: string,
  thing: Span,
): Diagnostic {
  const tokens = what === 'tokens'
  const made = tokens ? `cut by the tokenizer of ${thingOrigin}` : `trained on ${thingOrigin}`
  const message = tokens
    ? 'tokens and model come from different models'
    : 'adapter and model come from different models'
  return problem('E116', message, span, `'${stage}' uses the model ${modelOrigin} …`, {
    secondary:
      thing.start === span.start
        ? []
        : [{ span: thing, text: `… on ${tokens ? 'tokens' : 'an adapter'} ${made}` }],
    notes: [
      `the ${what} were ${made}`.replace('adapter were', 'adapter was'),
      tokens
        ? 'token ids would mean different words: the loss would look plausible and the model would be noise'
        : "an adapter is a difference to one model's weights; added to others it is noise",
    ],
    help: ['use the same model for both'],
  })
}

export function idleArrow(span: Span, from: string, to: string, fromSpan: Span): Diagnostic {
  return problem(
    'W119',
    `nothing flows from '${from}' to '${to}'`,
    span,
    `${to} reads nothing from ${from}`,
    {
      secondary: [{ span: fromSpan, text: '' }],
      notes: ['such an arrow does not order the two stages either'],
      help: [`draw the arrow from the stage that ${to} reads, or order them: stages.${to}.needs: [${from}]`],
    },
  )
}

export function brokenFlow(span: Span, found: string | null): Diagnostic {
  const what = found === null ? 'the flow line ends too early' : `'${found}' does not fit here`
  return problem('E120', what, span, found === null ? 'a stage is missing' : 'expected a stage or an arrow', {
    help: [
      'flow: clean -> split -> tokenize -> lora-train -> [eval, eval-base] -> gate',
      "a second chain comes after ';', on the same line or the next",
    ],
  })
}

export function wrongArrow(span: Span, found: string): Diagnostic {
  return problem('E120', `'${found}' is not an arrow`, span, "write '->'")
}

export function notOneOf(
  span: Span,
  name: string,
  written: string,
  near: string | null,
  words: readonly string[],
): Diagnostic {
  return problem('E121', `${name} cannot be '${written}'`, span, meant(near, 'not one of the choices'), {
    help: [`one of: ${list(words)}`],
  })
}

export function missingOption(span: Span, kind: string, name: string): Diagnostic {
  return problem('E122', `${kind} needs the option '${name}'`, span, 'it is not here', {
    help: [`with: { ${name}: … }`],
  })
}

export function noneForRequired(span: Span, stage: string, port: string): Diagnostic {
  return problem('E124', `'${stage}' cannot do without '${port}'`, span, 'only an optional input can be none')
}

export function gateKeyElsewhere(span: Span, key: string, stage: string): Diagnostic {
  return problem('E125', `only a gate has '${key}'`, span, `'${stage}' is not a gate`, {
    help:
      key === 'metrics'
        ? [`what to measure is an option:  ${stage}: { with: { metrics: [ … ] } }`]
        : [`move it to a stage that says uses: gate`],
  })
}

export function sourceWithoutType(span: Span, name: string): Diagnostic {
  return problem(
    'E126',
    `the source '${name}' needs a type and a place`,
    span,
    'type and from are required',
    {
      help: [`${name}: { type: dataset, from: data/*.jsonl }`],
    },
  )
}

export function emptyPath(span: Span): Diagnostic {
  return problem('E126', 'the path is empty', span, 'name a file or a pattern', { help: ['data/*.jsonl'] })
}

export function unknownFunction(
  span: Span,
  name: string,
  near: string | null,
  known: readonly string[],
): Diagnostic {
  return problem('E127', `there is no function '${name}'`, span, meant(near, 'unknown function'), {
    help: [`functions: ${list(known)}`],
  })
}

export function wrongArguments(span: Span, name: string, form: string, count: number): Diagnostic {
  return problem(
    'E127',
    `${name} is used with ${count === 1 ? '1 argument' : `${count} arguments`}`,
    span,
    `write: ${form}`,
  )
}

export function paramWithoutDefault(span: Span, name: string): Diagnostic {
  return problem(
    'E129',
    `the parameter '${name}' has no default`,
    span,
    'a parameter has a value of its own',
    {
      help: [`${name}: { default: … }`],
    },
  )
}

export function badRange(span: Span): Diagnostic {
  return problem('E129', 'this is not a range', span, 'write the smallest and the largest value', {
    help: ['range: 1e-6..1e-2'],
  })
}

export function notYet(span: Span, key: string): Diagnostic {
  return problem('E130', `'${key}' is not supported yet`, span, 'planned, but this version cannot do it', {
    help: ['leave it out'],
  })
}

export function measuresNothing(span: Span, stage: string): Diagnostic {
  return problem('E132', `'${stage}' measures nothing`, span, 'a baseline is a stage with metrics')
}

export function baselineIsJudged(span: Span, stage: string): Diagnostic {
  return problem('E132', `'${stage}' cannot be its own yardstick`, span, 'this is the judged stage', {
    help: ['baseline: untuned'],
  })
}

export function untunedWithoutAdapter(span: Span, judged: string): Diagnostic {
  return problem(
    'E132',
    `'${judged}' has no adapter, so untuned would be the same model`,
    span,
    'nothing to leave out',
    {
      help: ['name a stage that measures another model'],
    },
  )
}

export function severalUntuned(span: Span, first: string, second: string): Diagnostic {
  return problem(
    'E132',
    `'untuned' would be two things here`,
    span,
    `'${first}' and '${second}' without adapter`,
    {
      help: ['write one of them as a stage:  eval-base: { uses: eval, inputs: { adapter: none } }'],
    },
  )
}

// ---- E2xx: checks

export function unknownMetric(
  span: Span,
  facts: {
    readonly metric: string
    readonly stage: string
    readonly near: string | null
    readonly measured: readonly string[]
    readonly canBeSwitchedOn: boolean
    readonly measuredAt: Span | null
  },
): Diagnostic {
  const { metric, stage, near, measured, canBeSwitchedOn, measuredAt } = facts
  const subtraction = near?.includes(' - ') === true
  return problem(
    'E201',
    `${stage} does not measure '${metric}'`,
    span,
    canBeSwitchedOn ? 'unknown metric' : meant(near, 'unknown metric'),
    {
      secondary: measuredAt === null ? [] : [{ span: measuredAt, text: `${stage} measures these` }],
      notes: canBeSwitchedOn
        ? [`${metric} can be measured, it is just not switched on`]
        : subtraction
          ? ["a name may contain '-', so a subtraction needs spaces"]
          : [],
      help: canBeSwitchedOn
        ? [`stages.${stage}.with.metrics: [${[...measured, metric].join(', ')}]`]
        : [`metrics: ${list(measured)}`],
    },
  )
}

export function neverTrue(
  span: Span,
  name: string,
  low: number,
  high: number,
  percent: number | null,
): Diagnostic {
  return problem(
    'E202',
    'this check can never pass',
    span,
    `${name} lies between ${number(low)} and ${number(high)} here`,
    {
      notes: percent === null ? [] : ['other tools print 0–100; here it is 0–1'],
      help: percent === null ? [] : [`${percent}%   or   ${percent / 100}`],
    },
  )
}

export function wrongDirection(
  span: Span,
  name: string,
  direction: MetricSchema['direction'],
  right: string,
): Diagnostic {
  return problem('W203', 'this passes when the model gets worse', span, `${name}: ${direction} is better`, {
    help: [`${right}, or direction-proof: ${name} better than baseline`],
  })
}

export function notACheck(span: Span, what: string, name: string | null): Diagnostic {
  return problem('E211', `${what} is neither true nor false`, span, 'compare it with something', {
    help: name === null ? [] : [`${name} >= 0.3, or: ${name} better than baseline`],
  })
}

export function constantCheck(span: Span, value: boolean): Diagnostic {
  return problem(
    'E211',
    `a check that is always ${value} checks nothing`,
    span,
    'compare a metric with something',
  )
}

export function unitMismatch(span: Span, left: string, right: string): Diagnostic {
  return problem('E213', `${left} cannot be set against ${right}`, span, `this is ${right}`)
}

export function chainedComparison(span: Span, middle: string, low: string): Diagnostic {
  return problem('E214', 'comparisons do not chain', span, 'a second comparison', {
    help: [`${middle} between ${low} and …`],
  })
}

export function alwaysTrue(span: Span, name: string, low: number, high: number): Diagnostic {
  return problem(
    'W215',
    'this check can never fail',
    span,
    `${name} lies between ${number(low)} and ${number(high)} here`,
    {
      notes: ['a check that cannot block protects nothing'],
    },
  )
}

export function selfComparison(span: Span): Diagnostic {
  return problem('E216', 'this compares a metric with itself', span, 'both sides are the same number', {
    help: ['name the yardstick: baseline.x, main.x or <stage>.x'],
  })
}

export function noChecks(span: Span, gate: string): Diagnostic {
  return problem('E217', `'${gate}' checks nothing`, span, 'a gate needs at least one check', {
    notes: ['a gate without checks would let everything pass'],
    help: ['checks: [bleu >= 0.30, perplexity better than baseline]'],
  })
}

export function onlyWarnings(span: Span, gate: string): Diagnostic {
  return problem('E217', `'${gate}' can only warn`, span, 'no check here is required', {
    help: ['write at least one check without warn:'],
  })
}

export function checksNotAList(span: Span): Diagnostic {
  return problem('E218', 'checks is a list', span, 'start each check with a dash', {
    help: ['checks:', '  - bleu >= 0.30'],
  })
}

export function oddCheck(span: Span): Diagnostic {
  return problem(
    'E218',
    'this is not a check',
    span,
    'a check is a sentence, or require: or warn: with one',
    {
      help: ['- bleu >= 0.30', '- warn: rouge_l >= 40%', '- { require: bleu >= 0.30, name: …, why: … }'],
    },
  )
}

export function unknownCheckKey(span: Span, key: string, near: string | null): Diagnostic {
  return problem('E218', `a check has no key '${key}'`, span, meant(near, 'unknown key'), {
    help: ['- bleu >= 0.30', 'keys of a check: require warn name why'],
  })
}

export function unknownSpace(
  span: Span,
  name: string,
  near: string | null,
  known: readonly string[],
): Diagnostic {
  return problem('E219', `'${name}' is nothing to compare with`, span, meant(near, 'unknown'), {
    help: [`known here: ${list(known)}`],
  })
}

export function noBaseline(span: Span): Diagnostic {
  return problem('E219', 'this gate names no baseline', span, 'compared with what?', {
    help: ['baseline: untuned'],
  })
}

export function spaceAsMetric(span: Span, name: string, metric: string): Diagnostic {
  return problem('E219', `'${name}' is not a metric`, span, 'which of its metrics?', {
    help: [`${name}.${metric}`],
  })
}

export function unexpectedInExpression(span: Span, found: string, near: string | null): Diagnostic {
  return problem('E220', `'${found}' does not fit here`, span, meant(near, 'unexpected'))
}

export function unfinishedExpression(span: Span, last: string): Diagnostic {
  return problem(
    'E220',
    'the expression ends too early',
    span,
    last === '' ? 'empty' : `something is missing after '${last}'`,
  )
}

export function strangeCharacter(span: Span, found: string): Diagnostic {
  return problem('E220', `'${found}' does not belong here`, span, 'unexpected character')
}

export function expressionTooLong(span: Span): Diagnostic {
  return problem('E220', 'the line is too long', span, 'more than 300 words and signs', {
    help: ['write several checks'],
  })
}

export function foreignSign(span: Span, found: string, ours: string): Diagnostic {
  return problem('E221', `'${found}' is not a sign of this language`, span, `write ${ours}`)
}

export function directionOfExpression(span: Span, words: string): Diagnostic {
  return problem(
    'E222',
    `only a metric can be ${words} something`,
    span,
    'it is not known which way is better',
    {
      help: ['use < or >'],
    },
  )
}

export function negativeMargin(span: Span): Diagnostic {
  return problem('E223', 'a margin is not negative', span, 'this turns the comparison round')
}

// ---- words

/** What YAML's own codes mean to somebody who does not know YAML's grammar. */
function plainWords(code: string): string {
  const words: Readonly<Record<string, string>> = {
    BAD_INDENT: 'the indentation does not match the lines above',
    MISSING_CHAR: 'a bracket, quote or comma is missing',
    BAD_SCALAR_START: 'a text cannot start with this character; quote it',
    UNEXPECTED_TOKEN: 'unexpected here',
    BLOCK_AS_IMPLICIT_KEY: 'a nested value has to start on its own line',
    MULTILINE_IMPLICIT_KEY: "a colon or a space after it is missing: write 'key: value'",
    BAD_DQ_ESCAPE: "inside double quotes '\\' starts an escape; use single quotes",
    BLOCK_IN_FLOW: 'lists with dashes cannot stand inside brackets',
    TAG_RESOLVE_FAILED: 'tags are not part of the language',
  }
  return words[code] ?? 'here'
}
