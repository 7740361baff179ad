/** E1xx about values: options, numbers, units, parameters. */
import type { Diagnostic } from '../diagnostic.ts'
import { own } from '../own.ts'
import type { Span } from '../source.ts'
import { didYouMean } from '../spelling.ts'
import type { Words } from '../words.ts'
import { inRightCase } from '../units.ts'
import { A } from './nouns.ts'
import { en, listed, meant, problem, rename, replace, words, zh, type More } from './problem.ts'

/** The numbers that a schema allows. */
export interface Bounds {
  readonly low: number | null
  readonly high: number | null
  /** Whether the ends themselves are forbidden. */
  readonly openLow: boolean
  readonly openHigh: boolean
}

export type UnitKind = 'duration' | 'bytes' | 'ratio'

/** What is known about an option that the kind does not have; at most one of the four. */
export interface OptionFacts {
  /** The option that was probably meant. */
  readonly near: string | null
  /** Who calls that option by the written name. */
  readonly whose: Words | null
  /** The option under its name here, and another kind that has it. */
  readonly elsewhere: { readonly kind: string; readonly option: string } | null
  /** A setting of other tools without a counterpart here. */
  readonly absent: { readonly why: Words; readonly instead: Words } | null
}

export function unknownOption(
  span: Span,
  kind: string,
  name: string,
  facts: OptionFacts,
  known: readonly string[],
): Diagnostic {
  const { near, whose, elsewhere, absent } = facts
  const message = words(`${kind} has no option '${name}'`, `${kind} 没有选项 '${name}'`)
  const note = whose === null ? [] : [words(`'${name}' is ${whose.en}`, `'${name}' 是${whose.zh}`)]
  if (elsewhere !== null) {
    const { kind: other, option } = elsewhere
    const label = words(`this belongs to ${other}`, `这是 ${other} 的选项`)
    return problem('E101', message, span, label, {
      notes: note,
      help: [`${other}: { with: { ${option}: … } }`],
    })
  }
  if (absent !== null)
    return problem('E101', message, span, words('there is nothing like it here', '这里没有对应的设置'), {
      notes: [absent.why],
      help: [absent.instead],
    })
  const label =
    whose !== null && near !== null
      ? words(`here it is called '${near}'`, `这里叫 '${near}'`)
      : meant(near, words('unknown option', '未知的选项'))
  return problem('E101', message, span, label, {
    notes: note,
    help: [
      known.length === 0
        ? words(`${kind} takes no options`, `${kind} 没有任何选项`)
        : words(
            `options: ${known.join(' ')}  (sluice explain ${kind})`,
            `可用选项: ${known.join(' ')}  (sluice explain ${kind})`,
          ),
    ],
    fixes: rename(span, near),
  })
}

export function notANumber(span: Span, text: string, near: string | null): Diagnostic {
  const value = near === null ? NaN : Number(near)
  const shown = Number.isNaN(value) || String(value) === near ? '' : ` (${value})`
  const label =
    near === null
      ? words('a number is expected here', '这里要写数字')
      : words(`did you mean ${near}${shown}?`, `是不是想写 ${near}${shown}？`)
  return problem('E102', words(`'${text}' is not a number`, `'${text}' 不是数字`), span, label, {
    // A guess at a number changes what is computed, so nobody takes it unseen.
    fixes: rename(span, near, false),
  })
}

export function outOfRange(
  span: Span,
  name: string,
  written: string,
  bounds: Bounds,
  hint: Words | null,
): Diagnostic {
  const { low, high } = bounds
  const range = `${low ?? '-∞'} … ${high ?? '∞'}`
  const what = boundsInWords(bounds)
  return problem(
    'E103',
    words(`${name} is ${what.en}`, `${name} ${what.zh}`),
    span,
    words(`${written} is outside ${range}`, `${written} 不在 ${range} 之内`),
    { help: hint === null ? [] : [hint] },
  )
}

function boundsInWords({ low, high, openLow, openHigh }: Bounds): Words {
  if (low === 0 && high === 1) return words('a fraction between 0 and 1', '是 0 到 1 之间的比例')
  const closed = low !== null && high !== null && !openLow && !openHigh
  const ends = [
    low === null
      ? null
      : words(`${openLow ? 'more than' : 'at least'} ${low}`, `${openLow ? '大于' : '不小于'} ${low}`),
    high === null
      ? null
      : words(`${openHigh ? 'less than' : 'at most'} ${high}`, `${openHigh ? '小于' : '不大于'} ${high}`),
  ].filter((each) => each !== null)
  return ends.length === 0
    ? words('something else', '不能是这个值')
    : words(
        ends.map(en).join(' and '),
        closed ? `应在 ${low} 到 ${high} 之间` : `应${ends.map(zh).join('、')}`,
      )
}

export function missingUnit(span: Span, written: string, what: UnitKind): Diagnostic {
  const bytes = what === 'bytes'
  const choices = bytes ? [`${written}GB`, `${written}GiB`] : [`${written}s`, `${written}m`, `${written}h`]
  const last = choices.at(-1) ?? ''
  const rest = choices.slice(0, -1)
  return problem(
    'E104',
    words(`${written} of what?`, `${written} 的单位是什么？`),
    span,
    bytes ? words('a size needs a unit', '大小要带单位') : words('a duration needs a unit', '时长要带单位'),
    { help: [words(`${rest.join(', ')} or ${last}`, `${rest.join('、')} 或 ${last}`)] },
  )
}

const UNIT_WORDS: Readonly<Record<UnitKind, { readonly noun: Words; readonly example: Words }>> = {
  duration: {
    noun: words('a duration', '时长'),
    example: words('30s, 10m or 6h', '30s、10m 或 6h'),
  },
  bytes: { noun: words('a size', '大小'), example: words('16GB', '16GB') },
  ratio: { noun: words('a share', '比例'), example: words('80% or 0.8', '80% 或 0.8') },
}

export function wrongUnit(span: Span, written: string, what: UnitKind): Diagnostic {
  const { noun, example } = UNIT_WORDS[what]
  const near = inRightCase(written)
  if (near !== null)
    return problem(
      'E104',
      words(`'${written}' is not ${noun.en}`, `'${written}' 不是${noun.zh}`),
      span,
      meant(near, example),
      {
        notes: [words('units are written in this case', '单位要区分大小写')],
        fixes: rename(span, near, false),
      },
    )
  return problem(
    'E104',
    words(`'${written}' is not ${noun.en}`, `'${written}' 不是${noun.zh}`),
    span,
    words(`write ${noun.en} like ${example.en}`, `写成${noun.zh}，如 ${example.zh}`),
  )
}

export function unknownUnit(span: Span, unit: string, near: string | null): Diagnostic {
  return problem(
    'E104',
    words(`there is no unit '${unit}'`, `没有 '${unit}' 这个单位`),
    span,
    meant(near, words('unknown unit', '未知的单位')),
    {
      help: [
        words(
          'units: %   ms s m h d   B KB MB GB TB KiB MiB GiB TiB',
          '可用单位: %   ms s m h d   B KB MB GB TB KiB MiB GiB TiB',
        ),
      ],
    },
  )
}

const PARAMETERS = words('parameters of this file', '本文件的参数')

export function unknownParam(span: Span, name: string, known: readonly string[]): Diagnostic {
  const near = didYouMean(name, known)
  return problem(
    'E105',
    words(`there is no parameter '${name}'`, `没有参数 '${name}'`),
    span,
    meant(near, words('unknown parameter', '未知的参数')),
    { help: [listed(PARAMETERS, known)], fixes: rename(span, near, false) },
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
    words(`-p ${name}: there is no parameter '${name}'`, `-p ${name}：没有参数 '${name}'`),
    span,
    meant(near, words('not declared here', '这里没有声明')),
    { help: [known.length === 0 ? `params: { ${name}: 1 }` : listed(PARAMETERS, known)] },
  )
}

export function unknownValueName(span: Span, name: string, near: string | null): Diagnostic {
  return problem(
    'E106',
    words(`'${name}' is not known in a value`, `计算值里不认识 '${name}'`),
    span,
    meant(near, words('unknown name', '未知的名字')),
    {
      help: [
        words(
          "a value can use params.<name>, pipeline.name and none; text needs quotes: ='text'",
          "计算值里可以用 params.<name>、pipeline.name 和 none；文本要加引号：='text'",
        ),
      ],
      fixes: rename(span, near),
    },
  )
}

export function wrongType(
  span: Span,
  name: string,
  wanted: Words,
  found: Words | string,
  more: Pick<More, 'help' | 'fixes'> = {},
): Diagnostic {
  return problem(
    'E109',
    words(`${name} has to be ${wanted.en}`, `${name} 应该是${wanted.zh}`),
    span,
    words(`this is ${en(found)}`, typeof found === 'string' ? `这里是 ${found}` : `这里是${found.zh}`),
    more,
  )
}

/** One thing where a list, or a short form of a map, is wanted: the same in its long form. */
export function inLongForm(span: Span, name: string, form: string): Pick<More, 'help' | 'fixes'> {
  return { help: [`${name}: ${form}`], fixes: [replace(span, form, true)] }
}

/** `yes` and `on` are words in YAML 1.2. */
export function notTruth(span: Span, name: string, written: Words | string): Diagnostic {
  const word = typeof written === 'string' ? written : ''
  const ours = own(
    { yes: 'true', on: 'true', y: 'true', no: 'false', off: 'false', n: 'false' },
    word.toLowerCase(),
  )
  if (ours === undefined) return wrongType(span, name, A.truth, written)
  return problem(
    'E109',
    words(`${name} has to be true or false`, `${name} 应该是 true 或 false`),
    span,
    words(`write ${ours}`, `写成 ${ours}`),
    {
      notes: [words(`in YAML 1.2 '${word}' is a text`, `在 YAML 1.2 里 '${word}' 是文本`)],
      fixes: rename(span, ours),
    },
  )
}

/** `wish` says what the form is. */
export function wrongShape(span: Span, name: string, wish: Words): Diagnostic {
  return problem('E109', words(`${name} does not have the right form`, `${name} 的形式不对`), span, wish)
}

export function notOneOf(
  span: Span,
  name: string,
  written: string,
  near: string | null,
  choices: readonly string[],
): Diagnostic {
  return problem(
    'E121',
    words(`${name} cannot be '${written}'`, `${name} 不能是 '${written}'`),
    span,
    meant(near, words('not one of the choices', '不在可选值之内')),
    { help: [listed(words('one of', '可选值'), choices)], fixes: rename(span, near, false) },
  )
}

export function missingOption(span: Span, kind: string, name: string): Diagnostic {
  return problem(
    'E122',
    words(`${kind} needs the option '${name}'`, `${kind} 需要选项 '${name}'`),
    span,
    words('it is not here', '这里没有写'),
    { help: [`with: { ${name}: … }`] },
  )
}

export function paramWithoutDefault(span: Span, name: string): Diagnostic {
  return problem(
    'E129',
    words(`the parameter '${name}' has no default`, `参数 '${name}' 没有默认值`),
    span,
    words('a parameter has a value of its own', '参数要有自己的值'),
    { help: [`${name}: { default: … }`] },
  )
}

export function badRange(span: Span): Diagnostic {
  return problem(
    'E129',
    words('this is not a range', '这不是一个范围'),
    span,
    words('write the smallest and the largest value', '写出最小值和最大值'),
    { help: ['range: 1e-6..1e-2'] },
  )
}

export function percentHint(amount: number, ratio: boolean): Words {
  const share = `${amount / 100}`
  return ratio
    ? words(`${amount} percent is ${share} or ${amount}%`, `百分之 ${amount} 写成 ${share} 或 ${amount}%`)
    : words(`${amount} percent is ${share}`, `百分之 ${amount} 写成 ${share}`)
}
