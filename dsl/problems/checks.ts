/** E2xx about gates: what a check compares, whether it can pass, whether it can fail. */
import type { Diagnostic } from '../diagnostic.ts'
import type { Span } from '../source.ts'
import type { MetricSchema } from '../stage-signature.ts'
import type { Words } from '../words.ts'
import { en, listed, meant, number, problem, rename, replace, words, zh } from './problem.ts'

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
  const unknown = words('unknown metric', '未知的指标')
  return problem(
    'E201',
    words(`${stage} does not measure '${metric}'`, `${stage} 没有测量 '${metric}'`),
    span,
    canBeSwitchedOn ? unknown : meant(near, unknown),
    {
      secondary:
        measuredAt === null
          ? []
          : [{ span: measuredAt, text: words(`${stage} measures these`, `${stage} 测量的是这些`) }],
      notes: canBeSwitchedOn
        ? [words(`${metric} can be measured, it is just not switched on`, `${metric} 可以测量，只是没有打开`)]
        : subtraction
          ? [
              words(
                "a name may contain '-', so a subtraction needs spaces",
                "名字里可以有 '-'，所以减号两边要加空格",
              ),
            ]
          : [],
      help: canBeSwitchedOn
        ? [`stages.${stage}.with.metrics: [${[...measured, metric].join(', ')}]`]
        : [listed(words('metrics', '可用指标'), measured)],
      fixes: canBeSwitchedOn ? [] : rename(span, near, subtraction),
    },
  )
}

function between(name: Words | string, low: number, high: number): Words {
  const ends = [number(low), number(high)] as const
  return words(
    `${en(name)} lies between ${ends[0]} and ${ends[1]} here`,
    `${zh(name)} 在这里的范围是 ${ends[0]} 到 ${ends[1]}`,
  )
}

export function neverTrue(
  span: Span,
  name: Words | string,
  low: number,
  high: number,
  percent: number | null,
): Diagnostic {
  return problem(
    'E202',
    words('this check can never pass', '这个检查项永远不可能通过'),
    span,
    between(name, low, high),
    {
      notes:
        percent === null
          ? []
          : [words('other tools print 0–100; here it is 0–1', '别的工具显示 0–100，这里是 0–1')],
      help:
        percent === null
          ? []
          : [words(`${percent}%   or   ${percent / 100}`, `${percent}%   或   ${percent / 100}`)],
      fixes: percent === null ? [] : rename(span, `${percent}%`),
    },
  )
}

export function wrongDirection(
  span: Span,
  name: string,
  direction: MetricSchema['direction'],
  right: string,
): Diagnostic {
  return problem(
    'W203',
    words('this passes when the model gets worse', '模型变差时这一条反而通过'),
    span,
    words(`${name}: ${direction} is better`, `${name}：${direction === 'higher' ? '越大越好' : '越小越好'}`),
    {
      help: [
        words(
          `${right}, or direction-proof: ${name} better than baseline`,
          `${right}，或用不分方向的写法：${name} better than baseline`,
        ),
      ],
    },
  )
}

export function notACheck(span: Span, what: Words, name: string | null): Diagnostic {
  return problem(
    'E211',
    words(`${what.en} is neither true nor false`, `${what.zh}没有真假`),
    span,
    words('compare it with something', '要和某个值比较'),
    {
      help:
        name === null
          ? []
          : [
              words(
                `${name} >= 0.3, or: ${name} better than baseline`,
                `${name} >= 0.3，或：${name} better than baseline`,
              ),
            ],
    },
  )
}

export function constantCheck(span: Span, value: boolean): Diagnostic {
  return problem(
    'E211',
    words(`a check that is always ${value} checks nothing`, `永远是 ${value} 的检查项等于没查`),
    span,
    words('compare a metric with something', '拿一个指标和某个值比较'),
  )
}

/** @param wanted how a value of the left side's unit is written; null if the right side has a unit, too */
export function unitMismatch(span: Span, left: Words, right: Words, wanted: string | null): Diagnostic {
  return problem(
    'E213',
    words(`${left.en} cannot be set against ${right.en}`, `${left.zh}不能和${right.zh}放在一起算`),
    span,
    words(`this is ${right.en}`, `这是${right.zh}`),
    wanted === null ? {} : { help: [words(`write its unit, as in ${wanted}`, `写上单位，例如 ${wanted}`)] },
  )
}

export function alwaysTrue(span: Span, name: Words | string, low: number, high: number): Diagnostic {
  return problem(
    'W215',
    words('this check can never fail', '这个检查项永远不会失败'),
    span,
    between(name, low, high),
    { notes: [words('a check that cannot block protects nothing', '拦不住任何东西的检查项没有保护作用')] },
  )
}

export function selfComparison(span: Span): Diagnostic {
  return problem(
    'E216',
    words('this compares a metric with itself', '指标在和自己比较'),
    span,
    words('both sides are the same number', '两边是同一个数'),
    {
      help: [
        words(
          'name the yardstick: baseline.x, main.x or <stage>.x',
          '写明和谁比：baseline.x、main.x 或 <stage>.x',
        ),
      ],
    },
  )
}

export function noChecks(span: Span, gate: string): Diagnostic {
  return problem(
    'E217',
    words(`'${gate}' checks nothing`, `'${gate}' 什么都没检查`),
    span,
    words('a gate needs at least one check', '门禁至少要有一个检查项'),
    {
      notes: [words('a gate without checks would let everything pass', '没有检查项的门禁会放行一切')],
      help: ['checks: [bleu >= 0.30, perplexity better than baseline]'],
    },
  )
}

export function onlyWarnings(span: Span, gate: string): Diagnostic {
  return problem(
    'E217',
    words(`'${gate}' can only warn`, `'${gate}' 只会警告`),
    span,
    words('no check here is required', '没有一条是必须通过的'),
    { help: [words('write at least one check without warn:', '至少写一条不带 warn: 的检查项')] },
  )
}

export function checksNotAList(span: Span): Diagnostic {
  return problem(
    'E218',
    words('checks is a list', 'checks 是列表'),
    span,
    words('start each check with a dash', '每个检查项以短横线开头'),
    { help: ['checks:', '  - bleu >= 0.30'] },
  )
}

export function oddCheck(span: Span): Diagnostic {
  return problem(
    'E218',
    words('this is not a check', '这不是检查项'),
    span,
    words(
      'a check is a sentence, or require: or warn: with one',
      '检查项是一句话，或者 require:、warn: 后面跟一句话',
    ),
    { help: ['- bleu >= 0.30', '- warn: rouge_l >= 40%', '- { require: bleu >= 0.30, name: …, why: … }'] },
  )
}

export function unknownCheckKey(span: Span, key: string, near: string | null): Diagnostic {
  return problem(
    'E218',
    words(`a check has no key '${key}'`, `检查项没有 '${key}' 这个键`),
    span,
    meant(near, words('unknown key', '未知的键')),
    {
      help: [
        '- bleu >= 0.30',
        words('keys of a check: require warn name why', '检查项可用的键: require warn name why'),
      ],
      fixes: rename(span, near),
    },
  )
}

/** `- bleu: <= 0.3`: `colon` is what stands between the metric and its sign. */
export function colonInCheck(span: Span, colon: Span, check: string): Diagnostic {
  return problem(
    'E218',
    words('a check has no colon', '检查项里没有冒号'),
    span,
    words('YAML takes this for a key', 'YAML 把它当成键'),
    {
      help: [words(`a check is one sentence:  - ${check}`, `检查项写成一句话：  - ${check}`)],
      fixes: [{ ...replace(colon, ' ', true), title: words('drop the colon', '去掉冒号') }],
    },
  )
}

export function unknownSpace(
  span: Span,
  name: string,
  near: string | null,
  known: readonly string[],
): Diagnostic {
  return problem(
    'E219',
    words(`'${name}' is nothing to compare with`, `没有可以比较的 '${name}'`),
    span,
    meant(near, words('unknown', '未知')),
    { help: [listed(words('known here', '这里可以用'), known)], fixes: rename(span, near, false) },
  )
}

export function noBaseline(span: Span): Diagnostic {
  return problem(
    'E219',
    words('this gate names no baseline', '这个门禁没有指定基线'),
    span,
    words('compared with what?', '和谁比？'),
    { help: ['baseline: untuned'] },
  )
}

export function spaceAsMetric(span: Span, name: string, metric: string): Diagnostic {
  return problem(
    'E219',
    words(`'${name}' is not a metric`, `'${name}' 不是指标`),
    span,
    words('which of its metrics?', '要用它的哪个指标？'),
    { help: [`${name}.${metric}`] },
  )
}

export function directionOfExpression(span: Span, relation: string): Diagnostic {
  return problem(
    'E222',
    words(`only a metric can be ${relation} something`, `'${relation}' 前面只能是指标`),
    span,
    words('it is not known which way is better', '不知道往哪个方向算更好'),
    { help: [words('use < or >', '用 < 或 >')] },
  )
}

export function negativeMargin(span: Span): Diagnostic {
  return problem(
    'E223',
    words('a margin is not negative', '差距不能是负数'),
    span,
    words('this turns the comparison round', '这会让比较反过来'),
  )
}
