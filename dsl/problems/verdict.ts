/** E207, E208: a check of a gate that could not be decided when its scores were there. */
import type { Diagnostic } from '../diagnostic.ts'
import type { Span } from '../source.ts'
import { problem, words } from './problem.ts'

/** `reason` is the verdict's own. */
export function undecided(span: Span, reason: string): Diagnostic {
  return problem('E207', words('the gate could not decide', '质量门无法裁定'), span, words(reason, reason), {
    notes: [UNDECIDED],
    help: [
      words(
        'first release? say what counts instead:  bleu >= main.bleu ?? 0.30',
        '第一次发布？写明缺值时用什么：  bleu >= main.bleu ?? 0.30',
      ),
      words('or bless a run as main: sluice baseline set', '或把某次运行定为 main：sluice baseline set'),
    ],
  })
}

export function noNumber(span: Span, reason: string): Diagnostic {
  return problem(
    'E208',
    words('a value of this check is not a number', '这个检查项里有一个值不是数'),
    span,
    words(reason, reason),
    {
      notes: [UNDECIDED],
      help: [
        words(
          'look at the rows behind it: rows.jsonl beside metrics.json; a loss of NaN or Infinity makes a perplexity of it',
          '看它背后的各行：metrics.json 旁边的 rows.jsonl；某行损失为 NaN 或 Infinity，困惑度就算不出来',
        ),
      ],
    },
  )
}

const UNDECIDED = words('undecided is not a pass: exit code 4', '无法裁定不算通过：退出码 4')
