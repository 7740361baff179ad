/** Mistakes in an expression, be it a check or a computed value: E107, E108, E127, E214, E220 and following. */
import type { Diagnostic } from '../diagnostic.ts'
import type { Span } from '../source.ts'
import type { Words } from '../words.ts'
import { en, listed, meant, problem, rename, words, zh } from './problem.ts'

export function wrongOperand(span: Span, wanted: Words, found: Words): Diagnostic {
  return problem(
    'E107',
    words(`this has to be ${wanted.en}`, `这里要的是${wanted.zh}`),
    span,
    words(`this is ${found.en}`, `这是${found.zh}`),
  )
}

export function emptyValue(span: Span): Diagnostic {
  return problem(
    'E107',
    words("nothing follows the '='", "'=' 后面没有内容"),
    span,
    words('an expression is expected', '这里要写表达式'),
    {
      help: [
        '=params.lr * 2',
        words('text that starts with = is written with two: "==…"', '以 = 开头的文本写两个等号："==…"'),
      ],
    },
  )
}

export function checkWordInValue(span: Span): Diagnostic {
  return problem(
    'E107',
    words('this belongs in a check, not in a value', '这只能用在检查项里，不能用在计算值里'),
    span,
    words('no metrics are known yet here', '这时还没有指标'),
  )
}

export function divisionByZero(span: Span): Diagnostic {
  return problem('E108', words('this divides by zero', '除以零'), span, words('the divisor is 0', '除数是 0'))
}

export function tooLarge(span: Span): Diagnostic {
  return problem(
    'E108',
    words('the result is not a finite number', '结果不是有限的数'),
    span,
    words('too large', '太大'),
  )
}

export function unknownFunction(
  span: Span,
  name: string,
  near: string | null,
  known: readonly string[],
): Diagnostic {
  return problem(
    'E127',
    words(`there is no function '${name}'`, `没有函数 '${name}'`),
    span,
    meant(near, words('unknown function', '未知的函数')),
    { help: [listed(words('functions', '可用函数'), known)], fixes: rename(span, near, false) },
  )
}

export function wrongArguments(span: Span, name: string, form: Words | string, count: number): Diagnostic {
  return problem(
    'E127',
    words(
      `${name} is used with ${count === 1 ? '1 argument' : `${count} arguments`}`,
      `${name} 给了 ${count} 个参数`,
    ),
    span,
    words(`write: ${en(form)}`, `写成：${zh(form)}`),
  )
}

export function chainedComparison(span: Span, middle: string, low: string): Diagnostic {
  return problem(
    'E214',
    words('comparisons do not chain', '比较不能连写'),
    span,
    words('a second comparison', '第二个比较'),
    { help: [`${middle} between ${low} and …`] },
  )
}

export function unexpectedInExpression(span: Span, found: string, near: string | null): Diagnostic {
  return problem(
    'E220',
    words(`'${found}' does not fit here`, `'${found}' 不该出现在这里`),
    span,
    meant(near, words('unexpected', '多余')),
    { fixes: rename(span, near) },
  )
}

export function unfinishedExpression(span: Span, last: string): Diagnostic {
  return problem(
    'E220',
    words('the expression ends too early', '表达式没有写完'),
    span,
    last === ''
      ? words('empty', '空的')
      : words(`something is missing after '${last}'`, `'${last}' 后面少了内容`),
  )
}

export function strangeCharacter(span: Span, found: string): Diagnostic {
  return problem(
    'E220',
    words(`'${found}' does not belong here`, `这里不能用 '${found}'`),
    span,
    words('unexpected character', '意外的字符'),
  )
}

export function expressionTooLong(span: Span): Diagnostic {
  return problem(
    'E220',
    words('the line is too long', '这一行太长'),
    span,
    words('more than 300 words and signs', '超过 300 个词和符号'),
    { help: [words('write several checks', '拆成几个检查项')] },
  )
}

/** `safe` if the sign has exactly one meaning here. */
export function foreignSign(span: Span, found: string, ours: Words | string, safe: boolean): Diagnostic {
  return problem(
    'E221',
    words(`'${found}' is not a sign of this language`, `这里没有 '${found}' 这个符号`),
    span,
    words(`write ${en(ours)}`, `写成 ${zh(ours)}`),
    { fixes: safe && typeof ours === 'string' ? rename(span, ours) : [] },
  )
}
