/** What is wrong with an export. */
import type { Diagnostic } from '../diagnostic.ts'
import type { Span } from '../source.ts'
import { problem, words } from './problem.ts'

export function nothingToExport(span: Span, stage: string, port: 'adapter' | 'model'): Diagnostic {
  return problem(
    'E150',
    words(`'${stage}' has no ${port} to export`, `'${stage}' 没有可导出的 ${port}`),
    span,
    words('nothing is wired to it', '没有东西接到它上面'),
    {
      help:
        port === 'adapter'
          ? [`stages.${stage}.inputs: { adapter: <stage>.adapter }`]
          : [
              words(
                'put a merge stage before it:  lora-train -> merge',
                '在它前面加一个 merge 阶段：  lora-train -> merge',
              ),
            ],
    },
  )
}

export function notMerged(span: Span, stage: string, adapter: string): Diagnostic {
  return problem(
    'E150',
    words(`'${stage}' would export a model without its adapter`, `'${stage}' 导出的模型里没有合进适配器`),
    span,
    words(`${adapter} is not merged into the model`, `${adapter} 还没有合并进模型`),
    {
      help: [
        words(
          'merge first, and measure what is shipped:  lora-train -> merge -> eval',
          '先合并，再评测真正要发布的模型：  lora-train -> merge -> eval',
        ),
        words('or export the adapter:  format: adapter', '或者导出适配器：  format: adapter'),
      ],
    },
  )
}

export function fromOutside(span: Span, stage: string, source: string): Diagnostic {
  return problem(
    'E150',
    words(`'${stage}' would export ${source}`, `'${stage}' 会导出 ${source}`),
    span,
    words('it comes from outside, no stage made it', '它来自外部，不是哪个阶段的产物'),
  )
}

export function manyExports(span: Span, stage: string, count: number): Diagnostic {
  return problem(
    'E150',
    words(
      `'${stage}' would write ${count} exports to one folder`,
      `'${stage}' 会把 ${count} 份导出写进同一个文件夹`,
    ),
    span,
    words('it follows a matrix', '它跟着 matrix 展开了'),
    {
      help: [
        words(
          'choose the winner first:  pick: { uses: select, with: { by: best perplexity } }',
          '先选出优胜者：  pick: { uses: select, with: { by: best perplexity } }',
        ),
      ],
    },
  )
}

export function pastTheGate(span: Span, stage: string, gate: string): Diagnostic {
  return problem(
    'E150',
    words(
      `'${stage}' could export what '${gate}' did not let pass`,
      `'${stage}' 可能导出 '${gate}' 没有放行的东西`,
    ),
    span,
    words(`this can hold without ${gate}.passed`, `没有 ${gate}.passed 这里也可能成立`),
    {
      help: [
        words(
          `take \`when\` out (what stands after a gate needs its pass), or let it ask for the pass:  when: ${gate}.passed and …`,
          `去掉 when（gate 后面的阶段本来就要放行才跑），或者要求放行：  when: ${gate}.passed and …`,
        ),
        words(
          'by hand, and the card says so:  sluice export --anyway',
          '要破例就手动导出，模型卡会写明：  sluice export --anyway',
        ),
      ],
    },
  )
}

export function outside(span: Span, to: string): Diagnostic {
  return problem(
    'E150',
    words(`'${to}' is not a folder below the project`, `'${to}' 不是项目里的文件夹`),
    span,
    words('a path from the project root, outside of .sluice', '写相对项目根目录的路径，不能在 .sluice 里'),
    {
      help: [
        'to: dist/support',
        words(
          'elsewhere, by hand:  sluice export --to DIR',
          '要写到别处，手动执行：  sluice export --to DIR',
        ),
      ],
    },
  )
}

export function sameFolder(span: Span, stage: string, other: string, first: Span): Diagnostic {
  return problem(
    'E150',
    words(
      `'${stage}' and '${other}' export to the same folder`,
      `'${stage}' 和 '${other}' 导出到同一个文件夹`,
    ),
    span,
    words('give each a folder of its own', '各用一个文件夹'),
    { secondary: [{ span: first, text: words('written here, too', '这里也写到它') }] },
  )
}
