/** Mistakes around `matrix:` and `select`: one stage that stands for many, and the choice among them. */
import type { Diagnostic } from '../diagnostic.ts'
import type { Span } from '../source.ts'
import { problem, words } from './problem.ts'

export function unknownAxis(
  span: Span,
  axis: string,
  near: string | null,
  axes: readonly string[],
  declared: Span | null,
): Diagnostic {
  const known = axes.join(', ')
  const label =
    near !== null
      ? words(`axes: ${known}; did you mean matrix.${near}?`, `轴有 ${known}，是不是 matrix.${near}？`)
      : axes.length > 0
        ? words(`axes: ${known}`, `轴有 ${known}`)
        : words('no matrix reaches this stage', '这个阶段前面没有 matrix')
  return problem(
    'E117',
    words(`the matrix has no axis '${axis}'`, `matrix 里没有轴 '${axis}'`),
    span,
    label,
    {
      secondary: declared === null ? [] : [{ span: declared, text: words('declared here', '在这里声明') }],
      help:
        axes.length > 0
          ? []
          : [
              words(
                'declare it on this stage or on one whose output it reads:  matrix: { r: [4, 8] }',
                '在本阶段或它读取的上游阶段声明：  matrix: { r: [4, 8] }',
              ),
            ],
    },
  )
}

export function excludesNothing(span: Span, axes: readonly string[]): Diagnostic {
  return problem(
    'E118',
    words('this excludes no point of the matrix', '这一项没有排除任何组合'),
    span,
    words('no point has these values', '没有哪个组合取这些值'),
    {
      notes: [
        words(
          `axes: ${axes.join(', ')}; values are compared exactly`,
          `轴：${axes.join('、')}；按值精确比较`,
        ),
      ],
    },
  )
}

export function excludesAll(span: Span): Diagnostic {
  return problem(
    'E118',
    words('exclude leaves no point of the matrix', 'exclude 把所有组合都排除了'),
    span,
    words('nothing would run', '一个都不会运行'),
  )
}

export function badAxis(span: Span, axis: string): Diagnostic {
  return problem(
    'E133',
    words(`the axis '${axis}' needs a list of values`, `轴 '${axis}' 需要一个取值列表`),
    span,
    words('write the values in [ ]', '把取值写在 [ ] 里'),
    { help: [`${axis}: [4, 8, 16]`] },
  )
}

export function axisValueTwice(span: Span, axis: string, value: string): Diagnostic {
  return problem(
    'E133',
    words(`'${axis}' has the value ${value} twice`, `'${axis}' 的取值 ${value} 写了两遍`),
    span,
    words('the same trial would run twice', '同一组试验会跑两遍'),
  )
}

export function matrixWithoutAxes(span: Span): Diagnostic {
  return problem(
    'E133',
    words('this matrix has no axis', '这个 matrix 没有轴'),
    span,
    words('name at least one', '至少写一个轴'),
    { help: ['matrix: { r: [4, 8, 16], lr: [1e-4, 2e-4] }'] },
  )
}

export function tooManyPoints(span: Span, count: number, limit: number): Diagnostic {
  return problem(
    'E134',
    words(`this makes ${count} instances of a stage`, `这会产生 ${count} 个阶段实例`),
    span,
    words(`the limit is ${limit}`, `上限是 ${limit}`),
    { help: [words('leave values out, or exclude points', '减少取值，或用 exclude 排除一些组合')] },
  )
}

export function pointKeys(span: Span, axis: string, axes: readonly string[]): Diagnostic {
  return problem(
    'E135',
    words(`'${axis}' is not an axis of this matrix`, `'${axis}' 不是这个 matrix 的轴`),
    span,
    words('unknown axis', '未知的轴'),
    { help: [words(`axes: ${axes.join(' ')}`, `轴：${axes.join(' ')}`)] },
  )
}

export function pointIncomplete(span: Span, missing: readonly string[]): Diagnostic {
  const names = missing.join(', ')
  return problem(
    'E135',
    words('an included point gives every axis a value', 'include 的组合要给每个轴取值'),
    span,
    words(`${names} is missing`, `缺少 ${names}`),
  )
}

export function notAPoint(span: Span, key: string): Diagnostic {
  return problem(
    'E135',
    words(`${key} is a list of points`, `${key} 是组合的列表`),
    span,
    words('a point names axes and values', '一个组合写出轴和取值'),
    { help: [`${key}: [{ r: 16, lr: 5e-4 }]`] },
  )
}

export function pointTwice(span: Span): Diagnostic {
  return problem(
    'E135',
    words('this point is in the matrix already', '这个组合已经在 matrix 里'),
    span,
    words('the same trial would run twice', '同一组试验会跑两遍'),
  )
}

export function sharedAxis(
  span: Span,
  stage: string,
  axis: string,
  first: string,
  second: string,
): Diagnostic {
  return problem(
    'E136',
    words(
      `'${stage}' follows two matrices that both have an axis '${axis}'`,
      `'${stage}' 同时跟随两个 matrix，它们都有轴 '${axis}'`,
    ),
    span,
    words(`from '${first}' and '${second}'`, `来自 '${first}' 和 '${second}'`),
    { help: [words('give one of the axes another name', '给其中一个轴换个名字')] },
  )
}

export function manyForOne(span: Span, stage: string, from: string, count: number): Diagnostic {
  return problem(
    'E137',
    words(
      `'${stage}' would have to judge ${count} results of '${from}'`,
      `'${stage}' 得裁定 '${from}' 的 ${count} 份结果`,
    ),
    span,
    words('a gate judges one model', '一个 gate 只裁定一个模型'),
    {
      help: [
        words(
          'choose the winner first:  pick: { uses: select, with: { by: best perplexity } }',
          '先选出优胜者：  pick: { uses: select, with: { by: best perplexity } }',
        ),
        words(
          'then measure it on rows that the sweep never saw, and judge that',
          '再用扫参没见过的数据测一次，裁定那一次',
        ),
      ],
    },
  )
}

export function differentOutputs(span: Span, stage: string): Diagnostic {
  return problem(
    'E137',
    words(
      `the points of '${stage}' make or measure different things`,
      `'${stage}' 的各个组合产出或测量的东西不一样`,
    ),
    span,
    words('an axis may change values, not what there is', '轴可以改数值，不能改有什么产物'),
  )
}

export function badPick(span: Span): Diagnostic {
  return problem(
    'E138',
    words("'by' names one metric", "'by' 写一个指标"),
    span,
    words('best, min or max, then a metric', 'best、min 或 max 加一个指标'),
    { help: ['by: best perplexity'] },
  )
}

export function badTie(span: Span, axes: readonly string[]): Diagnostic {
  return problem(
    'E138',
    words("'tie' names one axis", "'tie' 写一个轴"),
    span,
    words('smallest or largest, then an axis', 'smallest 或 largest 加一个轴'),
    { help: [`tie: smallest ${axes[0] ?? 'r'}`] },
  )
}

export function badQuorum(span: Span, count: number): Diagnostic {
  return problem(
    'E138',
    words("'at_least' is a number of trials", "'at_least' 是试验的个数"),
    span,
    words(`there are ${count} trials`, `一共有 ${count} 次试验`),
    { help: [`at_least: ${Math.max(1, count - 1)} of ${count}`] },
  )
}

export function nothingToChoose(span: Span, stage: string): Diagnostic {
  return problem(
    'E138',
    words(`'${stage}' has nothing to choose`, `'${stage}' 没有可选的东西`),
    span,
    words('no adapter or model of several is wired to it', '没有多个 adapter 或 model 接到它上面'),
    { help: [`stages.${stage}.inputs: { adapter: <stage>.adapter }`] },
  )
}

export function judgedWhereChosen(
  span: Span,
  facts: {
    readonly gate: string
    readonly select: string
    readonly count: number
    readonly split: string
    readonly chosenBy: Span
    /** What to type. */
    readonly change: string
  },
): Diagnostic {
  const { gate, select, count, split, chosenBy, change } = facts
  return problem(
    'W205',
    words('the gate judges on the rows that chose the winner', 'gate 裁定用的正是选优胜者的那些数据'),
    span,
    words(`${gate} judges ${split} …`, `${gate} 用 ${split} 裁定……`),
    {
      secondary: [
        {
          span: chosenBy,
          text: words(
            `… and ${select} chose the best of ${count} on ${split}`,
            `……而 ${select} 也是在 ${split} 上从 ${count} 个里选的`,
          ),
        },
      ],
      notes: [
        words(
          `the best of ${count} trials looks better than it is`,
          `${count} 次试验里最好的那个，看上去总比实际好`,
        ),
      ],
      help: [change],
    },
  )
}
