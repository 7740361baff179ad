/** The grammars of the language, `flow:` and expressions; the only file that knows chevrotain. */
import {
  createToken,
  EmbeddedActionsParser,
  Lexer,
  tokenMatcher,
  type IToken,
  type ParserMethod,
  type TokenType,
} from 'chevrotain'
import type { Diagnostic } from '../diagnostic.ts'
import * as expressionProblems from '../problems/expression.ts'
import * as graphProblems from '../problems/graph.ts'
import * as valueProblems from '../problems/values.ts'
import { words } from '../problems/problem.ts'
import type { Source, Span } from '../source.ts'
import { didYouMean } from '../spelling.ts'
import { inBaseUnits, UNITS } from '../units.ts'
import type { Words } from '../words.ts'
import type { Comparator, Expression, Name } from './syntax.ts'

/** A piece of text with the place in the file of each of its characters (one more for the end). */
export interface Fragment {
  readonly source: Source
  readonly text: string
  readonly offsets: readonly number[]
}

export interface FlowName {
  readonly name: string
  readonly span: Span
}

/** Chains of groups; each group's stages feed all stages of the next group. */
export type Flow = readonly (readonly (readonly FlowName[])[])[]

const LETTER = 'A-Za-z_\\u3007\\u3400-\\u4dbf\\u4e00-\\u9fff'
const NAME = new RegExp(`[${LETTER}][${LETTER}0-9]*(?:-[${LETTER}0-9]+)*`)

const Space = createToken({ name: 'Space', pattern: /\s+/, group: Lexer.SKIPPED })
const Identifier = createToken({ name: 'Identifier', pattern: NAME })
const keyword = (word: string): TokenType =>
  createToken({ name: `'${word}'`, pattern: new RegExp(word), longer_alt: Identifier })
const sign = (name: string, pattern: string): TokenType => createToken({ name, pattern })

const And = keyword('and')
const Or = keyword('or')
const Not = keyword('not')
const Between = keyword('between')
const Better = keyword('better')
const No = keyword('no')
const Worse = keyword('worse')
const Than = keyword('than')
const By = keyword('by')
const Is = keyword('is')
const Missing = keyword('missing')
const With = keyword('with')
const Confidence = keyword('confidence')
const True = keyword('true')
const False = keyword('false')

const Amount = createToken({
  name: 'Amount',
  pattern: /(?:\d+\.\d+|\d+|\.\d+)(?:[eE][+-]?\d+)?(?:%|[A-Za-z]+)?/,
})
const Text = createToken({ name: 'Text', pattern: /'[^'\n]*'|"[^"\n]*"/ })
const Dot = sign('Dot', '.')
const Comma = sign('Comma', ',')
const Open = sign('Open', '(')
const Close = sign('Close', ')')
const Plus = sign('Plus', '+')
const Minus = sign('Minus', '-')
const Times = sign('Times', '*')
const Divide = sign('Divide', '/')
const Default = sign('Default', '??')
const Compare = createToken({ name: 'Compare', pattern: /<=|>=|==|!=|<|>/ })

/** Signs of other languages, lexed only to say what to write here. */
const Foreign = createToken({
  name: 'Foreign',
  pattern: /\$\{\{|&&|\|\||=>|=<|===|!==|[＞》][=＝]|[＜《][=＝]|[=!?≥≤≠＞＜》《＝：（），。＋－−×÷&|]/,
})
const FOREIGN: Readonly<Record<string, Words | string>> = {
  '${{': words("nothing: a computed value starts with '='", "不需要它：计算值以 '=' 开头"),
  '&&': 'and',
  '||': 'or',
  '&': 'and',
  '|': 'or',
  '=>': '>=',
  '=<': '<=',
  '===': '==',
  '!==': '!=',
  '=': '==',
  '!': 'not',
  '?': 'if(condition, then, else)',
  '≥': '>=',
  '≤': '<=',
  '≠': '!=',
  '＞＝': '>=',
  '＞=': '>=',
  '》＝': '>=',
  '》=': '>=',
  '＜＝': '<=',
  '＜=': '<=',
  '《＝': '<=',
  '《=': '<=',
  '》': '>',
  '《': '<',
  '＞': '>',
  '＜': '<',
  '＝': '==',
  '：': words('a comparison such as bleu >= 0.3', '比较，如 bleu >= 0.3'),
  '（': '(',
  '）': ')',
  '，': ',',
  '。': '.',
  '＋': '+',
  '－': '-',
  '−': '-',
  '×': '*',
  '÷': '/',
}

/** Instead of a full stop. */
const NOTHING = words('nothing: no full stop ends an expression', '不需要它：表达式末尾不写句号')

/** Signs that mean the same everywhere, only written otherwise; the others may have been meant as something else. */
const ONE_MEANING = /^(?:&&|\|\||=>|=<|===|!==|[＞》＜《][=＝]|[≥≤≠＞＜》《＝（），。＋－−×÷])$/

const KEYWORDS = [
  And,
  Or,
  Not,
  Between,
  Better,
  No,
  Worse,
  Than,
  By,
  Is,
  Missing,
  With,
  Confidence,
  True,
  False,
]
const EXPRESSION_TOKENS = [
  Space,
  Amount,
  Text,
  ...KEYWORDS,
  Identifier,
  // `===`, `=>` and friends must win over their beginnings.
  createToken({ name: 'ForeignLong', pattern: /===|!==|=>|=<|[＞》＜《][=＝]/, categories: [Foreign] }),
  Default,
  Compare,
  Dot,
  Comma,
  Open,
  Close,
  Plus,
  Minus,
  Times,
  Divide,
  Foreign,
]

const Arrow = createToken({ name: 'Arrow', pattern: /->|→/ })
const BadArrow = createToken({
  name: 'BadArrow',
  pattern: /=>|>>|-->|--+>?|[—–－]+[>＞》]?|-[＞》]|[|>＞》]/,
})
const Semicolon = sign('Semicolon', ';')
const OpenGroup = sign('OpenGroup', '[')
const CloseGroup = sign('CloseGroup', ']')
const FlowWord = createToken({
  name: 'FlowWord',
  pattern: new RegExp(`[${LETTER}0-9]+(?:[-.]+[${LETTER}0-9]+)*`),
})
const FLOW_TOKENS = [Space, FlowWord, Arrow, BadArrow, Semicolon, OpenGroup, CloseGroup, Comma]

type Rule = ParserMethod<[], Expression>
type NameLists = FlowName[]

class Grammar extends EmbeddedActionsParser {
  /** Set before each parse: from offsets in the fragment to spans of the file. */
  place: (start: number, end: number) => Span = () => {
    throw new Error('parser used before a fragment was set')
  }
  unknownUnits: { readonly unit: string; readonly span: Span }[] = []

  /** A grammar that has been validated once, by a test, need not be validated in every process. */
  constructor(validated = false) {
    super([...new Set([...EXPRESSION_TOKENS, ...FLOW_TOKENS])], {
      maxLookahead: 2,
      recoveryEnabled: false,
      skipValidations: !validated,
    })
    this.performSelfAnalysis()
  }

  private of(token: IToken): Span {
    return this.place(token.startOffset, token.startOffset + token.image.length)
  }

  private join(left: Span, right: Span): Span {
    return { source: left.source, start: left.start, end: right.end }
  }

  whole: Rule = this.RULE('whole', (): Expression => this.SUBRULE(this.disjunction))

  disjunction: Rule = this.RULE('disjunction', (): Expression => {
    let left = this.SUBRULE(this.conjunction)
    this.MANY(() => {
      this.CONSUME(Or)
      const right = this.SUBRULE2(this.conjunction)
      left = this.ACTION(() => ({
        type: 'logic',
        operator: 'or',
        left,
        right,
        span: this.join(left.span, right.span),
      }))
    })
    return left
  })

  conjunction: Rule = this.RULE('conjunction', (): Expression => {
    let left = this.SUBRULE(this.negation)
    this.MANY(() => {
      this.CONSUME(And)
      const right = this.SUBRULE2(this.negation)
      left = this.ACTION(() => ({
        type: 'logic',
        operator: 'and',
        left,
        right,
        span: this.join(left.span, right.span),
      }))
    })
    return left
  })

  negation: Rule = this.RULE('negation', (): Expression =>
    this.OR([
      {
        ALT: () => {
          const token = this.CONSUME(Not)
          const operand = this.SUBRULE(this.negation)
          return this.ACTION((): Expression => ({
            type: 'not',
            operand,
            span: this.join(this.of(token), operand.span),
          }))
        },
      },
      { ALT: () => this.SUBRULE(this.comparison) },
    ]),
  )

  comparison: Rule = this.RULE('comparison', (): Expression => {
    const value = this.SUBRULE(this.addition)
    let whole = value
    this.OPTION(() => {
      whole = this.OR([
        {
          ALT: (): Expression => {
            const operator = this.CONSUME(Compare)
            const right = this.SUBRULE2(this.addition)
            return this.ACTION(() => ({
              type: 'compare',
              operator: operator.image as Comparator,
              operatorSpan: this.of(operator),
              left: value,
              right,
              span: this.join(value.span, right.span),
            }))
          },
        },
        {
          ALT: (): Expression => {
            this.CONSUME(Between)
            const low = this.SUBRULE3(this.addition)
            this.CONSUME(And)
            const high = this.SUBRULE4(this.addition)
            return this.ACTION(() => ({
              type: 'between',
              value,
              low,
              high,
              span: this.join(value.span, high.span),
            }))
          },
        },
        {
          ALT: (): Expression => {
            this.CONSUME(No)
            this.CONSUME(Worse)
            this.CONSUME(Than)
            return this.directed('no-worse', value, this.SUBRULE(this.yardstick))
          },
        },
        {
          ALT: (): Expression => {
            this.CONSUME(Better)
            this.CONSUME2(Than)
            return this.directed('better', value, this.SUBRULE2(this.yardstick))
          },
        },
        {
          ALT: (): Expression => {
            this.CONSUME(Is)
            const not = this.OPTION2(() => this.CONSUME(Not))
            const last = this.CONSUME(Missing)
            return this.ACTION(() => ({
              type: 'missing',
              value,
              negated: not !== undefined,
              span: this.join(value.span, this.of(last)),
            }))
          },
        },
      ])
    })
    this.OPTION3(() => {
      const start = this.CONSUME(With)
      const tail = this.OR2([
        {
          ALT: (): { alpha: number; last: IToken } => {
            const letter = this.CONSUME(Identifier)
            const operator = this.CONSUME2(Compare)
            const last = this.CONSUME(Amount)
            // Anything else than `p <` has no alpha and is refused with its type.
            return this.ACTION(() => {
              const meant = letter.image === 'p' && /^<=?$/.test(operator.image)
              return { alpha: meant ? Number(last.image) : NaN, last }
            })
          },
        },
        {
          ALT: (): { alpha: number; last: IToken } => {
            const amount = this.CONSUME2(Amount)
            const last = this.CONSUME(Confidence)
            return this.ACTION(() => ({ alpha: 1 - Number.parseFloat(amount.image) / 100, last }))
          },
        },
      ])
      const comparison = whole
      whole = this.ACTION((): Expression => {
        const withSpan = this.join(this.of(start), this.of(tail.last))
        return {
          type: 'significance',
          comparison,
          alpha: tail.alpha,
          withSpan,
          span: this.join(comparison.span, withSpan),
        }
      })
    })
    return whole
  })

  yardstick: ParserMethod<[], readonly [Expression, Expression | null]> = this.RULE(
    'yardstick',
    (): readonly [Expression, Expression | null] => {
      const yardstick = this.SUBRULE(this.addition)
      const by = this.OPTION(() => {
        this.CONSUME(By)
        return this.SUBRULE2(this.addition)
      })
      return [yardstick, by ?? null]
    },
  )

  private directed(
    relation: 'better' | 'no-worse',
    value: Expression,
    tail: readonly [Expression, Expression | null],
  ): Expression {
    return this.ACTION((): Expression => {
      const [yardstick, by] = tail
      const span = this.join(value.span, (by ?? yardstick).span)
      return { type: 'directed', relation, value, yardstick, by, direction: null, span }
    })
  }

  addition: Rule = this.RULE('addition', (): Expression => {
    let left = this.SUBRULE(this.product)
    this.MANY(() => {
      const operator = this.OR([{ ALT: () => this.CONSUME(Plus) }, { ALT: () => this.CONSUME(Minus) }])
      const right = this.SUBRULE2(this.product)
      left = this.ACTION(() => this.arithmetic(operator, left, right))
    })
    return left
  })

  product: Rule = this.RULE('product', (): Expression => {
    let left = this.SUBRULE(this.unary)
    this.MANY(() => {
      const operator = this.OR([{ ALT: () => this.CONSUME(Times) }, { ALT: () => this.CONSUME(Divide) }])
      const right = this.SUBRULE2(this.unary)
      left = this.ACTION(() => this.arithmetic(operator, left, right))
    })
    return left
  })

  private arithmetic(operator: IToken, left: Expression, right: Expression): Expression {
    const span = this.join(left.span, right.span)
    return { type: 'arithmetic', operator: operator.image as '+' | '-' | '*' | '/', left, right, span }
  }

  unary: Rule = this.RULE('unary', (): Expression =>
    this.OR([
      {
        ALT: () => {
          const token = this.CONSUME(Minus)
          const operand = this.SUBRULE(this.unary)
          return this.ACTION((): Expression => ({
            type: 'negate',
            operand,
            span: this.join(this.of(token), operand.span),
          }))
        },
      },
      { ALT: () => this.SUBRULE(this.defaulted) },
    ]),
  )

  defaulted: Rule = this.RULE('defaulted', (): Expression => {
    const value = this.SUBRULE(this.primary)
    const fallback = this.OPTION(() => {
      this.CONSUME(Default)
      return this.SUBRULE(this.unary)
    })
    return this.ACTION(() =>
      fallback === undefined
        ? value
        : { type: 'default', value, fallback, span: this.join(value.span, fallback.span) },
    )
  })

  primary: Rule = this.RULE('primary', (): Expression =>
    this.OR([
      { ALT: () => this.amount(this.CONSUME(Amount)) },
      {
        ALT: () => {
          const token = this.CONSUME(Text)
          return this.ACTION((): Expression => ({
            type: 'string',
            value: token.image.slice(1, -1),
            span: this.of(token),
          }))
        },
      },
      { ALT: () => this.truth(this.CONSUME(True), true) },
      { ALT: () => this.truth(this.CONSUME(False), false) },
      { ALT: () => this.SUBRULE(this.reference) },
      {
        ALT: () => {
          this.CONSUME(Open)
          const inner = this.SUBRULE(this.disjunction)
          this.CONSUME(Close)
          return inner
        },
      },
    ]),
  )

  private truth(token: IToken, value: boolean): Expression {
    return this.ACTION((): Expression => ({ type: 'boolean', value, span: this.of(token) }))
  }

  private amount(token: IToken): Expression {
    return this.ACTION((): Expression => {
      const [, digits = '', name = ''] = /^(.*?\d)(%|[A-Za-z]+)?$/.exec(token.image) ?? []
      const span = this.of(token)
      if (name === '') return { type: 'number', value: Number(token.image), unit: null, dim: 'num', span }
      const unit = Object.hasOwn(UNITS, name) ? UNITS[name] : undefined
      if (unit === undefined) {
        this.unknownUnits.push({ unit: name, span })
        return { type: 'number', value: Number(digits), unit: null, dim: 'num', span }
      }
      return { type: 'number', value: inBaseUnits(Number(digits), unit), unit: name, dim: unit.dim, span }
    })
  }

  reference: Rule = this.RULE('reference', (): Expression => {
    const tokens = [this.CONSUME(Identifier)]
    this.MANY(() => {
      this.CONSUME(Dot)
      tokens.push(this.CONSUME2(Identifier))
    })
    let call: { args: Expression[]; close: IToken } | undefined
    this.OPTION(() => {
      this.CONSUME(Open)
      const args: Expression[] = []
      this.MANY_SEP({ SEP: Comma, DEF: () => args.push(this.SUBRULE(this.argument)) })
      call = { args, close: this.CONSUME(Close) }
    })
    return this.ACTION((): Expression => {
      const parts = tokens.map((token) => this.of(token))
      const first = parts[0]
      const last = parts.at(-1)
      if (first === undefined || last === undefined) throw new Error('a reference without a name')
      const name: Name = {
        type: 'name',
        path: tokens.map((token) => token.image),
        parts,
        span: this.join(first, last),
      }
      if (call === undefined) return name
      const span = this.join(first, this.of(call.close))
      return { type: 'call', name: name.path.join('.'), nameSpan: name.span, args: call.args, span }
    })
  })

  argument: Rule = this.RULE('argument', (): Expression => {
    const value = this.SUBRULE(this.disjunction)
    const field = this.OPTION(() => {
      this.CONSUME(By)
      return this.CONSUME(Identifier)
    })
    return this.ACTION((): Expression => {
      if (field === undefined) return value
      const fieldSpan = this.of(field)
      return { type: 'sliced', value, field: field.image, fieldSpan, span: this.join(value.span, fieldSpan) }
    })
  })

  flow: ParserMethod<[], Flow> = this.RULE('flow', (): Flow => {
    const chains: NameLists[][] = []
    this.AT_LEAST_ONE_SEP({ SEP: Semicolon, DEF: () => chains.push(this.SUBRULE(this.chain)) })
    return chains
  })

  chain: ParserMethod<[], NameLists[]> = this.RULE('chain', (): NameLists[] => {
    const groups: NameLists[] = []
    this.AT_LEAST_ONE_SEP({ SEP: Arrow, DEF: () => groups.push(this.SUBRULE(this.group)) })
    return groups
  })

  group: ParserMethod<[], NameLists> = this.RULE('group', (): NameLists => {
    const tokens: IToken[] = []
    this.OR([
      { ALT: () => tokens.push(this.CONSUME(FlowWord)) },
      {
        ALT: () => {
          this.CONSUME(OpenGroup)
          this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => tokens.push(this.CONSUME2(FlowWord)) })
          this.CONSUME(CloseGroup)
        },
      },
    ])
    return this.ACTION(() => tokens.map((token) => ({ name: token.image, span: this.of(token) })))
  })
}

/** Lines are short, so preparing for speed costs more than it saves. */
const QUICK = { skipValidations: true, safeMode: true, positionTracking: 'onlyOffset' } as const

/** Everything wrong with the grammars themselves; for a test, because it takes as long as reading a file. */
export function grammarProblems(): readonly string[] {
  const lexers = [new Lexer(EXPRESSION_TOKENS), new Lexer(FLOW_TOKENS)]
  const found = lexers.flatMap((lexer) => lexer.lexerDefinitionErrors.map(({ message }) => message))
  try {
    new Grammar(true)
  } catch (error) {
    found.push((error as Error).message)
  }
  return found
}

interface Machine {
  readonly grammar: Grammar
  readonly expressions: Lexer
  readonly flows: Lexer
}

// Analysing the grammar takes tens of milliseconds, so it waits for the first file that needs it.
let machine: Machine | undefined

function theMachine(): Machine {
  machine ??= {
    grammar: new Grammar(),
    expressions: new Lexer(EXPRESSION_TOKENS, QUICK),
    flows: new Lexer(FLOW_TOKENS, QUICK),
  }
  return machine
}

/** Long enough for every sensible line, short enough that recursion cannot exhaust the stack. */
const MOST_TOKENS = 300

/** Parses a check or a value (without its `=`); pushes at most one problem. Null if there was one. */
export function parseExpression(fragment: Fragment, out: Diagnostic[]): Expression | null {
  const { grammar, expressions } = theMachine()
  return parseWith(fragment, out, expressions, () => grammar.whole(), expressionProblem)
}

/** Parses the `flow:` line; pushes at most one problem. Null if there was one. */
export function parseFlow(fragment: Fragment, out: Diagnostic[]): Flow | null {
  const { grammar, flows } = theMachine()
  return parseWith(fragment, out, flows, () => grammar.flow(), flowProblem)
}

function parseWith<T>(
  fragment: Fragment,
  out: Diagnostic[],
  lexer: Lexer,
  rule: () => T,
  explain: (token: IToken | null, span: Span, before: readonly IToken[]) => Diagnostic,
): T | null {
  const { grammar } = theMachine()
  const place = (start: number, end: number): Span => spanIn(fragment, start, end)
  const { tokens, errors } = lexer.tokenize(fragment.text)
  const foreign = tokens.find((token) => tokenMatcher(token, Foreign) || tokenMatcher(token, BadArrow))
  const strange = errors[0]
  if (foreign !== undefined && (strange === undefined || foreign.startOffset < strange.offset)) {
    const span = place(foreign.startOffset, foreign.startOffset + foreign.image.length)
    if (tokenMatcher(foreign, BadArrow)) out.push(graphProblems.wrongArrow(span, foreign.image))
    else
      out.push(
        expressionProblems.foreignSign(
          span,
          foreign.image,
          isFullStop(fragment.text, foreign.startOffset) ? NOTHING : (FOREIGN[foreign.image] ?? ''),
          ONE_MEANING.test(foreign.image),
        ),
      )
    return null
  }
  if (strange !== undefined) {
    const span = place(strange.offset, strange.offset + 1)
    out.push(
      expressionProblems.strangeCharacter(span, fragment.text.slice(strange.offset, strange.offset + 1)),
    )
    return null
  }
  if (tokens.length > MOST_TOKENS) {
    out.push(expressionProblems.expressionTooLong(place(0, fragment.text.length)))
    return null
  }
  grammar.input = tokens
  grammar.place = place
  grammar.unknownUnits = []
  const result = rule()
  const error = grammar.errors[0]
  if (error !== undefined) {
    const end = Number.isNaN(error.token.startOffset)
    const from = end ? fragment.text.length : error.token.startOffset
    const span = place(from, end ? from : from + error.token.image.length)
    const index = end ? tokens.length : tokens.indexOf(error.token)
    out.push(explain(end ? null : error.token, span, tokens.slice(0, index)))
    return null
  }
  const odd = grammar.unknownUnits[0]
  if (odd !== undefined) {
    out.push(valueProblems.unknownUnit(odd.span, odd.unit, didYouMean(odd.unit, Object.keys(UNITS))))
    return null
  }
  return result
}

function expressionProblem(token: IToken | null, span: Span, before: readonly IToken[]): Diagnostic {
  if (token !== null && tokenMatcher(token, Compare)) {
    const earlier = before.findIndex((each) => tokenMatcher(each, Compare))
    if (earlier > 0) {
      const middle = before.slice(earlier + 1).map((each) => each.image)
      const low = before.slice(0, earlier).map((each) => each.image)
      return expressionProblems.chainedComparison(span, middle.join(' '), low.join(' '))
    }
  }
  if (token === null) return expressionProblems.unfinishedExpression(span, before.at(-1)?.image ?? '')
  const keywords = KEYWORDS.map((each) => each.name.slice(1, -1))
  const near = tokenMatcher(token, Identifier) ? didYouMean(token.image, keywords) : null
  return expressionProblems.unexpectedInExpression(span, token.image, near)
}

/** Of a sentence, and not the point of a number or a name. */
function isFullStop(text: string, at: number): boolean {
  return text[at] === '。' && !/^[\w\u4e00-\u9fff]/.test(text.slice(at + 1))
}

function flowProblem(token: IToken | null, span: Span): Diagnostic {
  return graphProblems.brokenFlow(span, token?.image ?? null)
}

function spanIn(fragment: Fragment, start: number, end: number): Span {
  const at = (index: number): number =>
    fragment.offsets[Math.min(Math.max(index, 0), fragment.offsets.length - 1)] ?? 0
  const from = at(start)
  return { source: fragment.source, start: from, end: Math.max(from, at(end)) }
}

/** What may come next where somebody is typing; empty after a mistake. */
export interface Continuation {
  /** Where in the text the word that is being typed begins. */
  readonly start: number
  /** Words and signs of the language. */
  readonly words: readonly string[]
  /** A name may come; `space` is what stands before its dot, `['baseline']` in `baseline.bl`. */
  readonly name: boolean
  readonly space: readonly string[]
  readonly amount: boolean
}

const UNFINISHED_NAME = new RegExp(`[${LETTER}][${LETTER}0-9-]*$`)
const COMPARATORS: readonly string[] = ['>=', '<=', '>', '<', '==', '!=']

/** Reads an expression that breaks off and says how it could go on. */
export function continuationOf(text: string): Continuation {
  const { grammar, expressions } = theMachine()
  const start = UNFINISHED_NAME.exec(text)?.index ?? text.length
  const { tokens, errors } = expressions.tokenize(text.slice(0, start))
  const nothing: Continuation = { start, words: [], name: false, space: [], amount: false }
  const foreign = tokens.some((token) => tokenMatcher(token, Foreign))
  if (errors.length > 0 || foreign || tokens.length > MOST_TOKENS) return nothing
  const last = tokens.at(-1)
  // A number that is still growing has no next word, nor has a name without the space that ends it.
  if (last !== undefined && start === last.startOffset + last.image.length && /\w$/.test(last.image))
    return nothing
  if (last !== undefined && tokenMatcher(last, With))
    return { ...nothing, words: ['p < 0.05', '95% confidence'], amount: true }
  const next = grammar.computeContentAssist('whole', tokens).map(({ nextTokenType }) => nextTokenType)
  const words = next.flatMap((type): readonly string[] => {
    if (type === Compare) return tokens.at(-2)?.tokenType === With ? ['<'] : COMPARATORS
    return KEYWORDS.includes(type) ? [type.name.slice(1, -1)] : []
  })
  return {
    start,
    words: [...new Set(words)],
    name: next.includes(Identifier),
    space: spaceBefore(tokens),
    amount: next.includes(Amount),
  }
}

/** The names that lead up to a dot at the end. */
function spaceBefore(tokens: readonly IToken[]): readonly string[] {
  const space: string[] = []
  for (let at = tokens.length; tokens[at - 1]?.tokenType === Dot; at -= 2) {
    const name = tokens[at - 2]
    if (name === undefined || name.tokenType !== Identifier) return []
    space.unshift(name.image)
  }
  return space
}

export interface MentionedName extends Name {
  /** The word or sign before it. */
  readonly after: string | null
  /** It is a function: a parenthesis follows. */
  readonly called: boolean
}

/** Every name in an expression, whether or not the expression can be read as a whole. */
export function namesMentioned(fragment: Fragment): readonly MentionedName[] {
  const { tokens } = theMachine().expressions.tokenize(fragment.text)
  const found: MentionedName[] = []
  for (let at = 0; at < tokens.length; at++) {
    const first = tokens[at]
    if (first?.tokenType !== Identifier) continue
    const after = tokens[at - 1]?.image ?? null
    const parts = [first]
    for (
      let next = tokens[at + 2];
      tokens[at + 1]?.tokenType === Dot && next !== undefined;
      next = tokens[at + 2]
    ) {
      if (next.tokenType !== Identifier) break
      parts.push(next)
      at += 2
    }
    const spans = parts.map(({ startOffset, image }) =>
      spanIn(fragment, startOffset, startOffset + image.length),
    )
    const last = spans.at(-1)
    if (spans[0] === undefined || last === undefined) continue
    const span: Span = { ...spans[0], end: last.end }
    const called = tokens[at + 1]?.tokenType === Open
    found.push({ type: 'name', path: parts.map(({ image }) => image), parts: spans, span, after, called })
  }
  return found
}

/** Every stage that a flow line names, whether or not its arrows can be read. */
export function flowMentioned(fragment: Fragment): readonly FlowName[] {
  const { tokens } = theMachine().flows.tokenize(fragment.text)
  return tokens.flatMap(({ tokenType, image, startOffset }) =>
    tokenType === FlowWord
      ? [{ name: image, span: spanIn(fragment, startOffset, startOffset + image.length) }]
      : [],
  )
}
