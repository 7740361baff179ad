/** Mistakes in a file of gate tests. */
import type { Diagnostic } from '../diagnostic.ts'
import type { Span } from '../source.ts'
import type { Words } from '../words.ts'
import { problem, words } from './problem.ts'

export function notGateTests(span: Span): Diagnostic {
  return problem(
    'E109',
    words('a file of gate tests has to be a list of tests', 'gate 测试文件应该是一个测试列表'),
    span,
    words('this is no list', '这里不是列表'),
    { help: ['- { given: { bleu: 0.2 }, expect: fail }'] },
  )
}

export function notAGateTest(span: Span): Diagnostic {
  return problem(
    'E109',
    words('a gate test says what is given and what to expect', 'gate 测试要写明 given 和 expect'),
    span,
    words('this is no map', '这里不是键值表'),
    { help: ['- { given: { bleu: 0.2 }, expect: fail }'] },
  )
}

export function missingInGateTest(span: Span, key: string, line: string): Diagnostic {
  return problem(
    'E016',
    words(`${key} is missing`, `缺少 ${key}`),
    span,
    words(`a gate test says its ${key}`, `gate 测试要写明 ${key}`),
    { help: [line] },
  )
}

export function notAScore(span: Span, name: string): Diagnostic {
  return problem(
    'E109',
    words(`${name} has to be a score`, `${name} 应该是分数`),
    span,
    words('a number, a percentage, or the word missing', '写数字、百分数或 missing'),
    { help: [`${name}: 0.2`, `${name}: missing`] },
  )
}

const VERDICTS: Readonly<Record<'pass' | 'fail' | 'undecided', Words>> = {
  pass: words('passes', '通过'),
  fail: words('fails', '不通过'),
  undecided: words('is undecided', '无法判定'),
}

export interface BrokenGateTest {
  readonly gate: string
  readonly expected: 'pass' | 'fail' | 'undecided'
  readonly verdict: 'pass' | 'fail' | 'undecided'
  readonly because: string | null
  /** The required checks that made the verdict, as the file writes them. */
  readonly checks: readonly string[]
}

export function gateTestFails(span: Span, broken: BrokenGateTest): Diagnostic {
  const { gate, expected, verdict, because, checks } = broken
  const is = VERDICTS[verdict]
  const reasons = because === null ? [] : [words(`expected because: ${because}`, `预期的理由：${because}`)]
  const decisive =
    checks.length === 0
      ? words('every required check holds with these scores', '在这些分数下，所有必需的检查项都成立')
      : words(`decided by: ${checks.join('; ')}`, `由这些检查项决定：${checks.join('；')}`)
  return problem(
    'E230',
    words(`${gate} ${is.en} where its test expects ${expected}`, `${gate} ${is.zh}，而测试预期 ${expected}`),
    span,
    words(`with these scores it ${is.en}`, `在这些分数下它${is.zh}`),
    { notes: [decisive, ...reasons] },
  )
}
