/** Mistakes in how a stage is run: `when`, `watch`, `retry`, `resources`, `notify`, `cache`. */
import type { Diagnostic } from '../diagnostic.ts'
import type { Span } from '../source.ts'
import { problem, words } from './problem.ts'

export function unknownConditionName(
  span: Span,
  name: string,
  near: string | null,
  known: readonly string[],
): Diagnostic {
  const stage = name.split('.')[0] ?? name
  const ofStage = known.some((each) => each.startsWith(`${stage}.`)) && !name.startsWith('run.')
  return problem(
    'E140',
    words(`'${name}' is not known in when`, `when 里没有 '${name}'`),
    span,
    near === null
      ? ofStage
        ? words(`${stage} has no such state`, `${stage} 没有这个状态`)
        : words('unknown name', '未知的名字')
      : words(`did you mean '${near}'?`, `是不是 '${near}'？`),
    {
      notes: ofStage
        ? [
            words(
              "a condition knows what became of a stage, not its metrics: those belong in a gate's checks",
              '条件只知道阶段的结果状态，不知道指标：指标写在 gate 的 checks 里',
            ),
          ]
        : [],
      help: [
        words(
          `known here: ${runNames(known)} params.<name> matrix.<axis> <stage>.failed <gate>.passed …`,
          `可以用：${runNames(known)} params.<名字> matrix.<轴> <阶段>.failed <gate>.passed ……`,
        ),
      ],
    },
  )
}

/** Names of stages and their fates would be too many to list. */
function runNames(known: readonly string[]): string {
  return known.filter((name) => name.startsWith('run.')).join(' ')
}

export function conditionStartsWithSign(span: Span, text: string): Diagnostic {
  return problem(
    'E140',
    words("when is a condition already, it has no '='", "when 本身就是条件，不用写 '='"),
    span,
    words('leave the sign out', '去掉等号'),
    { help: [`when: ${text}`] },
  )
}

export function whenNeedsText(span: Span): Diagnostic {
  return problem(
    'E140',
    words('when is a condition', 'when 是一个条件'),
    span,
    words('write a comparison', '写一个比较'),
    { help: ["when: run.branch == 'main'", 'when: params.smoke == false'] },
  )
}

export function gateIsNotRun(span: Span, key: string): Diagnostic {
  return problem(
    'E141',
    words(`a gate, a choice or an export has no '${key}'`, `gate、select 和 export 没有 '${key}'`),
    span,
    words('it is done in an instant, on every run', '它每次运行都当场完成'),
    { help: [words('leave it out', '删掉这一行')] },
  )
}

export function nothingLive(span: Span, stage: string, kind: string, live: readonly string[]): Diagnostic {
  return problem(
    'E142',
    words(`'${stage}' reports nothing while it runs`, `'${stage}' 运行时不上报任何数值`),
    span,
    words(`${kind} has no live values to watch`, `${kind} 没有可以盯的实时数值`),
    { help: [words(`stage kinds that do: ${live.join(' ')}`, `有实时数值的阶段：${live.join(' ')}`)] },
  )
}

export function oddWatch(span: Span): Diagnostic {
  return problem(
    'E143',
    words('a watch says when to stop', 'watch 写什么时候停'),
    span,
    words("write 'stop:' and a check", "写 'stop:' 加一个检查"),
    { help: ['- stop: train.loss is missing or train.loss > 20'] },
  )
}

export function badCount(span: Span, key: string, low: number): Diagnostic {
  return problem(
    'E144',
    words(`${key} is a whole number of at least ${low}`, `${key} 是不小于 ${low} 的整数`),
    span,
    words('not such a number', '不是这样的数'),
  )
}

export function envNotSet(span: Span, name: string): Diagnostic {
  return problem(
    'E145',
    words(`the environment has no ${name}`, `环境变量 ${name} 没有设置`),
    span,
    words('not set where this runs', '在这里没有设置'),
    { help: [words(`give it a default:  env('${name}', 'none')`, `给一个默认值：  env('${name}', 'none')`)] },
  )
}

export function badNotify(span: Span): Diagnostic {
  return problem(
    'E146',
    words('a notification says on which events, and whom', '通知要写什么事件、通知谁'),
    span,
    words("'on' and one of 'webhook' or 'run'", "要有 'on'，以及 'webhook' 或 'run' 之一"),
    {
      help: ['- { on: [gate.failed], webhook: env:SLACK_WEBHOOK }', '- { on: [run.failed], run: ./tell.sh }'],
    },
  )
}

export function addressInFile(span: Span): Diagnostic {
  return problem(
    'W307',
    words('this looks like a secret', '这看起来是个密钥'),
    span,
    words('a webhook address is a key to post', '有了 webhook 地址谁都能发消息'),
    { help: ['webhook: env:SLACK_WEBHOOK'] },
  )
}
