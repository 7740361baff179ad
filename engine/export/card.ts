/** The model card: what people should know before they use an export. In two languages, the same facts in the same order. */
import type { JudgedCheck } from '../../dsl/judge.ts'
import type { Json, JsonObject } from '../../dsl/stage-signature.ts'
import { inLanguage, LANGUAGES } from '../../dsl/words.ts'
import type { Language, Words } from '../../dsl/words.ts'
import type { Story } from './story.ts'

const say = (en: string, zh: string): Words => ({ en, zh })

/** File -> text: `README.md` and `README.zh.md`. */
export function cardsOf(story: Story): ReadonlyMap<string, string> {
  return new Map(
    LANGUAGES.map((language) => [
      language === 'en' ? 'README.md' : `README.${language}.md`,
      cardIn(story, language),
    ]),
  )
}

function cardIn(story: Story, language: Language): string {
  const word = (en: string, zh: string): string => inLanguage(say(en, zh), language)
  const { pipeline, params } = story
  const parts = [
    language === 'en' ? frontMatter(story) : '',
    `# ${pipeline}`,
    WHAT[story.format][language](pipeline),
    `## ${word('Verdict', '裁定')}`,
    verdictPart(story, word),
    story.scores.length === 0 ? '' : `## ${word('Scores', '得分')}`,
    scoresPart(story, word),
    `## ${word('Base model and data', '基座模型和数据')}`,
    table(
      [
        word('source', '来源'),
        word('type', '类型'),
        word('from', '路径'),
        word('files', '文件数'),
        'SHA-256',
      ],
      story.sources.map(({ name, type, from, digest, files }) => [
        name,
        type,
        code(from),
        String(files),
        code(short(digest)),
      ]),
    ),
    story.base === null
      ? word(
          'There is no base model from outside: the pipeline trained it itself.',
          '没有外来的基座模型：由流水线自己训练。',
        )
      : '',
    `## ${word('Settings', '设置')}`,
    ...(Object.keys(params).length === 0 ? [] : [optionsTable(params, word('parameter', '参数'), word)]),
    ...story.stages.flatMap(({ stage, kind, with: options, key }) => [
      `### ${stage}`,
      `${code(kind)}, ${word('key', '键')} ${code(key)}`,
      Object.keys(options).length === 0 ? '' : optionsTable(options, word('option', '选项'), word),
    ]),
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

const WHAT: Readonly<Record<Story['format'], Readonly<Record<Language, (name: string) => string>>>> = {
  adapter: {
    en: (name) =>
      `A LoRA adapter in PEFT's format, made by the Sluice pipeline \`${name}\`. It needs the base model below.`,
    zh: (name) => `PEFT 格式的 LoRA 适配器，由 Sluice 流水线 \`${name}\` 产出。使用时需要下面的基座模型。`,
  },
  merged: {
    en: (name) =>
      `A model in Hugging Face's layout, made by the Sluice pipeline \`${name}\`. No adapter has to be loaded.`,
    zh: (name) => `Hugging Face 目录格式的模型，由 Sluice 流水线 \`${name}\` 产出。不需要再加载适配器。`,
  },
  card: {
    en: (name) => `What the Sluice pipeline \`${name}\` made; this folder holds the description alone.`,
    zh: (name) => `Sluice 流水线 \`${name}\` 的产物说明；这个文件夹里只有说明。`,
  },
}

type Word = (en: string, zh: string) => string

function verdictPart({ gates, anyway }: Story, word: Word): string {
  const warning = anyway === null ? [] : [`**${word('Exported although', '强行导出')}: ${anyway}**`]
  if (gates.length === 0)
    return [...warning, word('No gate judged this.', '没有 gate 评判过它。')].join('\n\n')
  const told = gates.map(({ gate, verdict, judged, checks }) =>
    [
      `${code(gate)}: **${verdict}**, ${word('judged', '评判对象')} ${code(judged)}`,
      table([word('check', '检查'), word('outcome', '结果'), word('values', '数值')], checks.map(checkRow)),
    ].join('\n\n'),
  )
  return [...warning, ...told].join('\n\n')
}

function checkRow({ text, level, outcome, operands, reason }: JudgedCheck): readonly string[] {
  const values = operands.map((each) => `${each.text} ${valueText(each.value)}`).join(', ')
  return [code(text), level === 'warn' ? `${outcome} (warn)` : outcome, reason ?? values]
}

function scoresPart({ scores }: Story, word: Word): string {
  if (scores.length === 0) return ''
  const names = [...new Set(scores.flatMap(({ metrics }) => Object.keys(metrics)))].sort()
  return table(
    [word('stage', '阶段'), word('split', '划分'), word('rows', '行数'), ...names, word('ruler', '标尺')],
    scores.map(({ stage, split, rows, metrics, ruler }) => [
      stage,
      split,
      String(rows),
      ...names.map((name) => valueText(metrics[name]?.value ?? null)),
      code(ruler.slice(0, 12)),
    ]),
  )
}

function optionsTable(options: JsonObject, what: string, word: Word): string {
  const rows = Object.entries(options).map(([name, value]) => [name, code(JSON.stringify(value))])
  return table([what, word('value', '值')], rows)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** A text that may hold backquotes itself. */
function code(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  const room = longest > 0 ? ' ' : ''
  return `${fence}${room}${text}${room}${fence}`
}

function valueText(value: Json | undefined): string {
  return typeof value === 'number' ? String(Number(value.toPrecision(6))) : JSON.stringify(value ?? null)
}

function short(digest: string): string {
  return digest.replace('sha256:', '').slice(0, 16)
}

/** What model hubs read of a card. */
function frontMatter({ format, base }: Story): string {
  const lines = [
    `library_name: ${format === 'merged' ? 'transformers' : 'peft'}`,
    'pipeline_tag: text-generation',
    ...(base?.from.startsWith('hf:') === true
      ? [`base_model: ${JSON.stringify(base.from.slice('hf:'.length))}`]
      : []),
  ]
  return ['---', ...lines, '---'].join('\n')
}
