/** E0xx: mistakes in the text itself, before anything in it has a meaning. */
import { STAGE_ALIASES, TOP_ALIASES, type Alias } from '../aliases.ts'
import type { Diagnostic, Edit } from '../diagnostic.ts'
import { own } from '../own.ts'
import { slugOf } from '../slug.ts'
import type { Span } from '../source.ts'
import { didYouMean } from '../spelling.ts'
import { THINGS, type Thing } from './nouns.ts'
import { en, listed, meant, problem, rename, replace, words, zh } from './problem.ts'

/** `tabs` is every run of tabs that begins a line. */
export function tabIndent(span: Span, tabs: readonly Span[]): Diagnostic {
  const { path } = span.source
  // Four spaces put a tab below lines indented by two or by four alike.
  const edits = tabs.map((each) => ({ span: each, text: '    '.repeat(each.end - each.start) }))
  return problem(
    'E001',
    words('tabs cannot indent YAML', 'YAML 不能用制表符缩进'),
    span,
    words('this line is indented with a tab', '这一行用制表符缩进'),
    {
      help: [
        words(
          `replace the tab with spaces, or run: sluice fmt --fix ${path}`,
          `把制表符换成空格，或运行：sluice fmt --fix ${path}`,
        ),
      ],
      fixes: [{ title: words('write spaces', '换成空格'), edits, safe: true }],
    },
  )
}

export function colonInText(span: Span, key: string, text: string): Diagnostic {
  return problem(
    'E002',
    words('this text has to be quoted', '这段文本要加引号'),
    span,
    words('a colon followed by a space starts a nested mapping', '冒号加空格会被当成下一层的键'),
    { help: [`${key}: ${JSON.stringify(text)}`], fixes: [replace(span, JSON.stringify(text), true)] },
  )
}

const ALIASES: Readonly<Partial<Record<Thing, Readonly<Record<string, Alias>>>>> = {
  pipeline: TOP_ALIASES,
  stage: STAGE_ALIASES,
}

export function unknownKey(span: Span, key: string, what: Thing, known: readonly string[]): Diagnostic {
  const alias = own(ALIASES[what] ?? {}, key)
  const ours = alias !== undefined && known.includes(alias.ours) ? alias : null
  const near = ours?.ours ?? didYouMean(key, known)
  return problem(
    'E003',
    words(`'${key}' is not a ${what} key`, `${THINGS[what]}没有 '${key}' 这个键`),
    span,
    ours === null
      ? meant(near, words('unknown key', '未知的键'))
      : words(`here it is called '${ours.ours}'`, `这里叫 '${ours.ours}'`),
    {
      notes: ours === null ? [] : [words(`'${key}' is ${ours.whose.en}`, `'${key}' 是${ours.whose.zh}`)],
      help: [listed(words(`${what} keys`, `${THINGS[what]}可用的键`), known)],
      fixes: rename(span, near),
    },
  )
}

export function duplicateKey(span: Span, key: string, first: Span): Diagnostic {
  return problem(
    'E004',
    words(`'${key}' is written twice`, `'${key}' 写了两次`),
    span,
    words('second one, this would replace the first', '第二处，会覆盖前面的'),
    {
      secondary: [{ span: first, text: words('first one', '第一处') }],
      help: [
        words(
          'delete one of them; a second stage of the same kind needs another name:  my-eval: { uses: eval }',
          '删掉一处；同类型的第二个阶段要另取名字：  my-eval: { uses: eval }',
        ),
      ],
    },
  )
}

export function tagSign(span: Span, read: string): Diagnostic {
  return problem(
    'E005',
    words(
      "'!' is YAML's tag sign, so YAML would silently delete it",
      "'!' 在 YAML 里是标签符号，会被悄悄吞掉",
    ),
    span,
    words('this is not a negation', '这不是取反'),
    {
      notes: [words(`YAML reads this as "${read}"`, `YAML 读到的是 "${read}"`)],
      help: [words('negation is a word here:  not (…)', '取反要写成单词：  not (…)')],
    },
  )
}

export function bracesValue(span: Span, text: string): Diagnostic {
  const inner = /\$\{\{\s*(.*?)\s*\}\}/.exec(text)?.[1] ?? '…'
  // Only where the braces are the whole value; within a text it takes a format() to say the same.
  const whole = /^\$\{\{((?!\$\{\{).)*\}\}$/.test(text.trim())
  const value = /[,:#[\]{}"']/.test(inner) ? JSON.stringify(`=${inner}`) : `=${inner}`
  return problem(
    'E006',
    words("values are computed with '=', not '${{ }}'", "计算值用 '=' 开头，不用 '${{ }}'"),
    span,
    words(`write: =${inner}`, `写成：=${inner}`),
    {
      notes: [words('inside { } YAML would even misread the braces', '在 { } 里 YAML 还会把花括号读错')],
      fixes: whole ? [replace(span, value, true)] : [],
    },
  )
}

/** `written` is all of the expression, `whole` its text. */
export function splitExpression(span: Span, written: Span, key: string | null, whole: string): Diagnostic {
  const brackets = key === null ? '[ ]' : '{ }'
  return problem(
    'E007',
    words('YAML split this expression at the comma', 'YAML 在逗号处把表达式切断了'),
    span,
    words(
      `an expression with a comma needs quotes inside ${brackets}`,
      `${brackets} 里带逗号的表达式要加引号`,
    ),
    {
      help: [key === null ? `["${whole}"]` : `${key}: "${whole}"`],
      fixes: whole.includes('"') ? [] : [replace(written, `"${whole}"`, true)],
    },
  )
}

export function notYaml(span: Span, code: string, message: string): Diagnostic {
  const says = message.split('\n')[0] ?? message
  const known = /must be .*end with/.test(message) ? 'MISSING_CHAR' : code
  return problem('E008', UNREADABLE, span, YAML_WORDS[known] ?? words('here', '这里'), {
    notes: [words(`YAML says: ${says}`, `YAML 的原话：${says}`)],
  })
}

export function oddKey(span: Span): Diagnostic {
  return problem(
    'E008',
    words('a key has to be a word', '键必须是一个词'),
    span,
    words('not a word', '这不是一个词'),
  )
}

export function severalDocuments(span: Span): Diagnostic {
  return problem(
    'E008',
    words('a file holds one pipeline', '一个文件只放一条流水线'),
    span,
    words('a second document starts here', '从这里开始是第二个文档'),
    { help: [words('move it to a file of its own', '把它移到单独的文件里')] },
  )
}

/** `colon` is what stands between the metric and its sign. */
export function operatorFirst(span: Span, colon: Span, check: string): Diagnostic {
  return problem(
    'E008',
    UNREADABLE,
    span,
    words("'>' and '|' start a text block in YAML", "'>' 和 '|' 在 YAML 里是文本块的开头"),
    {
      help: [words(`a check is one sentence:  - ${check}`, `检查项写成一句话：  - ${check}`)],
      fixes: [{ ...replace(colon, ' ', true), title: words('drop the colon', '去掉冒号') }],
    },
  )
}

export function nameIsNotFile(span: Span, name: string, file: string): Diagnostic {
  return problem(
    'E009',
    words(`the file is called '${file}', this says '${name}'`, `文件名是 '${file}'，这里写的是 '${name}'`),
    span,
    words(`write: ${file}`, `写成：${file}`),
    {
      help: [
        `name: ${file}`,
        words(`or rename the file to ${name}.pipeline.yaml`, `或者把文件改名为 ${name}.pipeline.yaml`),
      ],
      fixes: [replace(span, file, false)],
    },
  )
}

export function tooDeep(span: Span): Diagnostic {
  return problem(
    'E010',
    words('this is nested too deeply', '嵌套太深'),
    span,
    words('deeper than any pipeline needs', '流水线用不到这么多层'),
  )
}

export function tooManyAliases(span: Span): Diagnostic {
  return problem(
    'E010',
    words('these aliases unfold to too much', '这些别名展开后太大'),
    span,
    words('the limit is 20 000 values, 60 levels deep', '上限是 20 000 个值、60 层'),
    {
      help: [words('write the repeated part out, or make it smaller', '把重复的部分直接写出来，或者精简它')],
    },
  )
}

export function unknownAlias(span: Span, name: string): Diagnostic {
  return problem(
    'E010',
    words(`nothing is anchored as '${name}'`, `没有叫 '${name}' 的锚点`),
    span,
    words("'*' reads a value marked with '&'", "'*' 引用的是用 '&' 标记过的值"),
    { help: [words('text that starts with * needs quotes', '以 * 开头的文本要加引号')] },
  )
}

export function mergeKey(span: Span): Diagnostic {
  return problem(
    'E011',
    words("'<<' is not part of the language", "不支持 '<<'"),
    span,
    words('YAML 1.2 has no merge key', 'YAML 1.2 没有合并键'),
    {
      help: [words('what all stages share goes under defaults:', '各阶段共用的设置放在 defaults: 下')],
    },
  )
}

export function flowReadAsList(span: Span, text: string): Diagnostic {
  return problem(
    'E012',
    words('YAML read the flow line as a list', 'YAML 把 flow 这一行读成了列表'),
    span,
    words("a line that starts with '[' needs quotes", "以 '[' 开头的值要加引号"),
    { help: [`flow: "${text}"`], fixes: [replace(span, `"${text}"`, true)] },
  )
}

export function flowAsList(span: Span, line: string): Diagnostic {
  return problem(
    'E012',
    words('flow is one line of arrows, this is a list', 'flow 是一行箭头，这里是列表'),
    span,
    words("say what feeds what with '->'", "用 '->' 写明数据流向"),
    { help: [`flow: ${line}`] },
  )
}

export function sourceTwice(span: Span, name: string, first: Span): Diagnostic {
  return problem(
    'E013',
    words(`the source '${name}' is declared twice`, `来源 '${name}' 声明了两次`),
    span,
    words('second one', '第二处'),
    {
      secondary: [{ span: first, text: words('first one', '第一处') }],
      notes: [
        words(
          "'model:' and 'data:' at the top are short for sources of those names",
          "顶层的 'model:' 和 'data:' 就是同名来源的简写",
        ),
      ],
    },
  )
}

export function badName(span: Span, name: string, what: Thing): Diagnostic {
  return problem(
    'E014',
    words(`'${name}' cannot be the name of a ${what}`, `'${name}' 不能用作${THINGS[what]}名`),
    span,
    words('names are lower case or Chinese words joined by -', '名字由小写单词或汉字用 - 连成'),
    { help: [words(`for example: ${slugOf(name)}`, `例如：${slugOf(name)}`)] },
  )
}

export function reservedName(span: Span, name: string, what: Thing = 'stage'): Diagnostic {
  return problem(
    'E015',
    words(`'${name}' has a meaning of its own`, `'${name}' 是保留字`),
    span,
    words(`a ${what} needs another name`, `${THINGS[what]}要换个名字`),
    { help: [words(`for example: my-${name}`, `例如：my-${name}`)] },
  )
}

export function missingKey(span: Span, key: string, line: string): Diagnostic {
  return problem(
    'E016',
    words(`${key} is missing`, `缺少 ${key}`),
    span,
    words(`a pipeline file says its ${key}`, `流水线文件要写明 ${key}`),
    { help: [line] },
  )
}

export function wrongVersion(span: Span, written: string): Diagnostic {
  return problem(
    'E017',
    words(`version '${written}' of the language is not known`, `不认识语言版本 '${written}'`),
    span,
    words('this Sluice knows version 1', '当前的 Sluice 只认识版本 1'),
    { help: ['version: 1'] },
  )
}

export function emptyFile(span: Span): Diagnostic {
  return problem('E018', words('the file is empty', '文件是空的'), span, words('nothing here', '没有内容'), {
    help: [words('start one with: sluice init', '新建一个：sluice init')],
  })
}

export function notAPipeline(span: Span): Diagnostic {
  return problem(
    'E018',
    words('this is not a pipeline', '这不是流水线'),
    span,
    words('a pipeline file is a map of keys', '流水线文件由一组键组成'),
    { help: ['version: 1', 'name: my-pipeline', 'flow: clean -> split'] },
  )
}

export function nothingToDo(span: Span): Diagnostic {
  return problem(
    'E018',
    words('the pipeline has no stages', '流水线里没有阶段'),
    span,
    words('neither flow: nor stages:', '既没有 flow: 也没有 stages:'),
    { help: ['flow: clean -> split -> tokenize -> lora-train -> eval -> gate'] },
  )
}

/** `encoding` is what the bytes seem to be; null if nobody can say. */
export function notUtf8(span: Span, encoding: 'UTF-16' | 'GBK' | null): Diagnostic {
  const { path } = span.source
  const name = encoding ?? words('something else', '别的编码')
  return problem(
    'E019',
    words('the file is not UTF-8 text', '文件不是 UTF-8 文本'),
    span,
    encoding === null
      ? words('these bytes are no text', '这些字节不是文本')
      : words(`it looks like ${en(name)}`, `看起来是 ${zh(name)}`),
    {
      help: [
        words('save the file as UTF-8', '在编辑器里另存为 UTF-8'),
        ...(encoding === null ? [] : [`iconv -f ${encoding} -t UTF-8 ${path} > new.yaml`]),
      ],
      fixes:
        encoding === 'UTF-16'
          ? [{ title: words('save as UTF-8', '另存为 UTF-8'), edits: [], safe: true }]
          : [],
    },
  )
}

/** `spans` is every such character of the file, at least one. */
export function controlCharacters(spans: readonly Span[]): Diagnostic {
  const [span] = spans
  if (span === undefined) throw new Error('no control character to report')
  const code = span.source.text.charCodeAt(span.start)
  const shown = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
  const title = words('delete what cannot be seen', '删掉看不见的字符')
  return problem(
    'E019',
    words(`the file holds a control character, ${shown}`, `文件里有控制字符 ${shown}`),
    span,
    words('invisible, and not allowed in YAML', '看不见，YAML 也不允许'),
    {
      help: [words('delete it', '把它删掉')],
      fixes: [{ title, edits: spans.map((each) => ({ span: each, text: '' })), safe: true }],
    },
  )
}

export function fullWidth(span: Span, edits: readonly Edit[]): Diagnostic {
  const { text } = span.source
  const sign = text.slice(span.start, span.end)
  const blank = sign.trim() === ''
  const ours = (edits.find((each) => each.span.start === span.start)?.text ?? '').trim()
  return problem(
    'E020',
    blank
      ? words('this blank is not a space', '这个空白不是空格')
      : sign === '\u2212'
        ? words(`'${sign}' is a sign of printed texts`, `'${sign}' 是排版用的减号`)
        : words(`'${sign}' is a full-width sign`, `'${sign}' 是全角符号`),
    span,
    blank
      ? words('a full-width or no-break space', '全角空格或不换行空格')
      : words(`write ${ours}`, `写成半角 ${ours}`),
    {
      notes: [
        blank
          ? words('YAML takes it for a letter', 'YAML 把它当成普通字符')
          : words('YAML takes it for part of the text', 'YAML 把它当成文本的一部分'),
      ],
      fixes: [{ title: words('write ASCII signs', '改成半角符号'), edits, safe: true }],
    },
  )
}

export function noSpaceAfterColon(span: Span, at: number): Diagnostic {
  const { source } = span
  return problem(
    'E021',
    words('a space is missing after the colon', '冒号后面少了空格'),
    span,
    words("write 'key: value'", "写成 'key: value'"),
    {
      notes: [words('without it YAML reads one word', '没有空格，YAML 会读成一个词')],
      fixes: [
        {
          title: words('insert a space', '补上空格'),
          edits: [{ span: { source, start: at, end: at }, text: ' ' }],
          safe: true,
        },
      ],
    },
  )
}

export function leadingZero(span: Span, written: string, value: number): Diagnostic {
  const octal = /^[-+]?0[0-7]+$/.test(written) ? Number.parseInt(written, 8) : null
  return problem(
    'W022',
    words(`${written} starts with a zero`, `${written} 以 0 开头`),
    span,
    words(`read as ${value}`, `按 ${value} 读取`),
    {
      notes:
        octal === null
          ? []
          : [
              words(
                `older YAML readers take it for octal, ${octal}`,
                `旧的 YAML 读取器会当成八进制，即 ${octal}`,
              ),
            ],
      help: [String(value)],
      fixes: [replace(span, String(value), true)],
    },
  )
}

export function neverClosed(span: Span, sign: string): Diagnostic {
  return problem('E008', UNREADABLE, span, words(`this ${sign} is never closed`, `这个 ${sign} 没有配对`))
}

export function tooLong(span: Span): Diagnostic {
  return problem(
    'E010',
    words('the file is too long', '文件太长'),
    span,
    words('a pipeline file has at most 256 KiB and 20 000 values', '流水线文件最多 256 KiB、20 000 个值'),
    { help: [words('data belongs in files of its own', '数据要放在单独的文件里')] },
  )
}

/** The frame shows the file with the secret blanked out, because messages end up in the logs of CI. `whose` is who gives such keys out. */
export function secret(span: Span, whose: string | null): Diagnostic {
  const { source, start, end } = span
  const text =
    source.text.slice(0, start) + source.text.slice(start, end).replace(/\S/g, '*') + source.text.slice(end)
  return problem(
    'W307',
    words('this looks like a secret', '这像是密钥'),
    { source: { path: source.path, text }, start, end },
    whose === null
      ? words('a literal under a secret name', '密钥名下写了明文')
      : words(`the form of a key (${whose})`, `密钥的形式（${whose}）`),
    {
      notes: [
        words(
          'pipeline files are committed, and git keeps every version',
          '流水线文件会提交到 git，而 git 保留每一个版本',
        ),
      ],
      help: [
        words('name an environment variable instead: env:NAME', '改为引用环境变量：env:NAME'),
        words('if it was committed or pushed, replace the key itself', '如果已经提交或推送，请更换密钥本身'),
      ],
    },
  )
}

const UNREADABLE = words('YAML cannot read this', 'YAML 读不懂这里')

/** What YAML's own codes mean to somebody who does not know YAML's grammar. */
const YAML_WORDS: Readonly<Record<string, ReturnType<typeof words>>> = {
  BAD_INDENT: words('the indentation does not match the lines above', '缩进和上面的行对不齐'),
  MISSING_CHAR: words('a bracket, quote or comma is missing', '少了括号、引号或逗号'),
  BAD_SCALAR_START: words(
    'a text cannot start with this character; quote it',
    '文本不能以这个字符开头，请加引号',
  ),
  UNEXPECTED_TOKEN: words('unexpected here', '不该出现在这里'),
  BLOCK_AS_IMPLICIT_KEY: words('a nested value has to start on its own line', '嵌套的值要另起一行'),
  MULTILINE_IMPLICIT_KEY: words(
    "a colon or a space after it is missing: write 'key: value'",
    "缺少冒号，或冒号后面缺少空格：写成 'key: value'",
  ),
  BAD_DQ_ESCAPE: words(
    "inside double quotes '\\' starts an escape; use single quotes",
    "双引号里 '\\' 是转义符，请改用单引号",
  ),
  BLOCK_IN_FLOW: words('lists with dashes cannot stand inside brackets', '方括号里不能用短横线列表'),
  TAG_RESOLVE_FAILED: words('tags are not part of the language', '不支持标签'),
}
