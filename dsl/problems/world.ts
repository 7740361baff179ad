/** E3xx: mistakes that only the world can show: files, data, the lock. */
import type { Diagnostic } from '../diagnostic.ts'
import type { Span } from '../source.ts'
import { problem, words } from './problem.ts'

export function missingSource(span: Span, name: string, pattern: string): Diagnostic {
  return problem(
    'E310',
    words(`the source '${name}' is not there`, `找不到来源 '${name}'`),
    span,
    words(`no file matches ${pattern}`, `没有文件匹配 ${pattern}`),
    {
      notes: [words("paths are relative to the project's root", '路径从项目根目录算起')],
      help: [
        words(
          'put the file there, or correct the path; optional: true if the pipeline can do without it',
          '把文件放到那里，或改正路径；流水线没有它也能跑就写 optional: true',
        ),
      ],
    },
  )
}
