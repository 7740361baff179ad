/** What the editor says of its own accord, in both languages. */
import { words } from '../dsl/problems/problem.ts'
import type { Words } from '../dsl/words.ts'

export const SAY = {
  default: words('default', '默认'),
  required: words('required', '必填'),
  optional: words('optional', '可选'),
  reads: words('reads', '输入'),
  makes: words('makes', '输出'),
  measures: words('measures', '指标'),
  lastRun: words('last run', '上次运行'),
  lastValue: words('last', '上次'),
  ruler: words('ruler', '尺子'),
  parameter: words('parameter', '参数'),
  axis: words('axis of', '扫描轴，属于'),
  source: words('source', '来源'),
  stageKind: words('stage kind', '阶段种类'),
  stage: words('stage', '阶段'),
  gate: words('gate', '质量门'),
  metric: words('metric', '指标'),
  function: words('function', '函数'),
  byType: words('fits by type', '类型相符'),
  nothing: words('leaves the port open', '这个口不接'),
  untuned: words('the same eval without the adapter', '同一次评测，不带适配器'),
  option: words('option', '选项'),
  key: words('key', '键'),
} as const satisfies Readonly<Record<string, Words>>

/** The spaces of a check that are no stages. */
export const SPACE_DOCS: Readonly<Record<string, Words>> = {
  main: words('the newest passing run on the default branch', '默认分支上最近一次通过的运行'),
  last: words('the last run here, from the lock file', '锁文件里的上一次运行'),
  baseline: words('the stage named as baseline', 'baseline 指定的阶段'),
  data: words('facts of the data behind the judged stage', '被评判阶段用到的数据'),
  train: words('facts of the training behind the judged stage', '被评判阶段背后的训练'),
  total: words('what the whole pipeline took', '整条流水线的开销'),
}

export const FUNCTION_FORMS: Readonly<Record<string, string>> = {
  if: 'if(condition, then, else)',
  format: 'format("text {}", value)',
  env: "env('NAME', 'default')",
}

export const direction = (higher: boolean): Words =>
  higher ? words('higher is better', '越大越好') : words('lower is better', '越小越好')

export const tooLong = (limit: number): Words =>
  words(
    `this text is longer than ${limit} characters and is not read here; check it with: sluice validate`,
    `文本超过 ${limit} 个字符，编辑器里不检查；请用 sluice validate 检查`,
  )

/** Why a name cannot be changed. */
export const REFUSED = {
  unreadable: words(
    'the file cannot be read as it is; mend what is underlined first',
    '文件现在还读不通，先改好标红的地方',
  ),
  nothingHere: words('there is no stage, parameter or source here', '这里没有阶段、参数或来源的名字'),
  shortForm: (name: string): Words =>
    words(
      `'${name}:' at the top is a key of the language; a source under sources: can have any name`,
      `顶层的 '${name}:' 是语言自己的键；写在 sources: 下面的来源才能改名`,
    ),
  badName: (name: string, example: string): Words =>
    words(
      `'${name}' cannot be a name: lower case words joined by -, for example ${example}`,
      `'${name}' 不能当名字：用小写单词加连字符，例如 ${example}`,
    ),
  reserved: (name: string): Words =>
    words(`'${name}' has a meaning of its own in checks`, `'${name}' 在检查里另有含义，不能用`),
  taken: (name: string): Words => words(`'${name}' is taken`, `'${name}' 已经有了`),
  wouldBreak: (message: Words): Words =>
    words(`that name would break the file: ${message.en}`, `改成这个名字文件会出错：${message.zh}`),
} as const
