/** Mistakes in the parts of a check about slices, sizes and significance. */
import type { Diagnostic } from '../diagnostic.ts'
import type { Span } from '../source.ts'
import { problem, words } from './problem.ts'

export function noSignificance(span: Span, metric: string, able: readonly string[]): Diagnostic {
  return problem(
    'E204',
    words(`no significance test for '${metric}'`, `'${metric}' 不能做显著性检验`),
    span,
    words(
      'needs one value per example; this is one number per run',
      '检验需要逐条的数值，它每次运行只有一个数',
    ),
    {
      help: [
        able.length === 0
          ? words('no metric here has per-example values', '这里没有带逐条数值的指标')
          : words(
              `metrics with per-example values: ${able.join(' ')}`,
              `带逐条数值的指标：${able.join(' ')}`,
            ),
        words('drop the with-part', '去掉 with 部分'),
      ],
    },
  )
}

export function significanceOfWhat(span: Span): Diagnostic {
  return problem(
    'E204',
    words('only a comparison can be significant', '只有比较才谈得上显著'),
    span,
    words('there is no comparison before this', '前面不是一个比较'),
    { help: ['bleu > baseline.bleu with p < 0.05'] },
  )
}

export function badAlpha(span: Span): Diagnostic {
  return problem(
    'E212',
    words('this chance of error makes no sense', '这个错误率没有意义'),
    span,
    words('p lies between 0 and 0.5', 'p 在 0 和 0.5 之间'),
    { help: ['with p < 0.05', 'with 95% confidence'] },
  )
}

export function notASlice(span: Span, call: string): Diagnostic {
  return problem(
    'E224',
    words(`${call} looks at slices of a metric`, `${call} 看的是一个指标的各个切片`),
    span,
    words("write a metric, 'by' and a field", '写：指标 by 字段'),
    { help: [`${call}(bleu by section)`] },
  )
}

export function sliceOutside(span: Span): Diagnostic {
  return problem(
    'E224',
    words("'by' a field belongs into worst, spread or count", "'by 字段' 只能写在 worst、spread、count 里"),
    span,
    words('one number per slice, which one is meant?', '每个切片一个数，要的是哪一个？'),
    { help: ['worst(bleu by section) >= 0.2'] },
  )
}

export function unknownSlice(
  span: Span,
  field: string,
  stage: string,
  near: string | null,
  slices: readonly string[],
): Diagnostic {
  return problem(
    'E224',
    words(`${stage} does not slice by '${field}'`, `${stage} 没有按 '${field}' 切片`),
    span,
    near === null
      ? words('unknown field', '未知的字段')
      : words(`did you mean '${near}'?`, `是不是 '${near}'？`),
    { help: [`stages.${stage}.with.slices: [${[...slices, field].join(', ')}]`] },
  )
}

export function sizeOfWhat(span: Span, ports: readonly string[]): Diagnostic {
  return problem(
    'E225',
    words('size takes the name of an input of the judged stage', 'size 里写被裁定阶段的一个输入'),
    span,
    words('not such a name', '不是这样的名字'),
    { help: ports.map((port) => `size(${port}) <= 20MB`) },
  )
}
