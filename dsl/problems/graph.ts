/** E1xx about stages and what flows between them: names, ports, wiring, order. */
import type { Diagnostic, Label } from '../diagnostic.ts'
import type { Span } from '../source.ts'
import type { ArtifactType, StageSignature } from '../stage-signature.ts'
import type { Words } from '../words.ts'
import { artifact } from './nouns.ts'
import { listed, meant, problem, rename, SILENT, words } from './problem.ts'

const STAGES = words('stages in this file', '本文件的阶段')
const KINDS = words('stage kinds', '阶段类型')
const UNKNOWN = words('unknown', '未知')
const WHICH = words('which one?', '用哪一个？')

export function unknownStage(
  span: Span,
  name: string,
  near: string | null,
  stages: readonly string[],
  kinds: readonly string[],
): Diagnostic {
  return problem(
    'E110',
    words(`no stage or stage kind is called '${name}'`, `没有叫 '${name}' 的阶段或阶段类型`),
    span,
    meant(near, UNKNOWN),
    {
      help: [listed(STAGES, stages), listed(KINDS, kinds)],
      fixes: rename(span, near, false),
    },
  )
}

export function unknownKind(
  span: Span,
  name: string,
  isStageName: boolean,
  near: string | null,
  kinds: readonly string[],
): Diagnostic {
  const ownName = words(
    `a stage with a name of its own says its kind:  ${name}: { uses: … }`,
    `自己取名的阶段要写明类型：  ${name}: { uses: … }`,
  )
  return problem(
    'E110',
    words(`no stage kind is called '${name}'`, `没有叫 '${name}' 的阶段类型`),
    span,
    meant(near, words('unknown stage kind', '未知的阶段类型')),
    {
      help: [...(isStageName || near === null ? [ownName] : []), listed(KINDS, kinds)],
      fixes: rename(span, near, false),
    },
  )
}

export function otherVersion(span: Span, written: string, kind: string, version: string): Diagnostic {
  const major = version.split('.')[0] ?? version
  return problem(
    'E110',
    words(`'${written}' is not installed`, `没有安装 '${written}'`),
    span,
    words(`installed: ${kind}@${version}`, `已安装：${kind}@${version}`),
    { help: [`uses: ${kind}@${major}`] },
  )
}

/** Why one stage waits for another: the labels of a cycle. */
export const because = {
  reads: (to: string, from: string): Words => words(`${to} reads ${from}`, `${to} 读取 ${from}`),
  needs: (to: string, from: string): Words => words(`${to} needs ${from}`, `${to} 依赖 ${from}`),
  waits: (to: string, from: string): Words => words(`${to} waits for ${from}`, `${to} 等待 ${from}`),
  follows: (to: string, from: string): Words => words(`${to} comes after ${from}`, `${to} 排在 ${from} 之后`),
  compares: (to: string, from: string): Words =>
    words(`${to} compares with ${from}`, `${to} 与 ${from} 比较`),
  asks: (to: string, from: string): Words =>
    words(`${to} asks what became of ${from}`, `${to} 要看 ${from} 的结果`),
}

export function cycle(path: readonly string[], labels: readonly Label[]): Diagnostic {
  const [first, ...rest] = labels
  if (first === undefined) throw new Error('a cycle has at least one edge')
  const self = path.length === 1
  const round = [...path]
    .reverse()
    .concat(path.at(-1) ?? '')
    .join(' → ')
  return problem(
    'E111',
    self
      ? words(`'${path[0] ?? ''}' waits for itself`, `'${path[0] ?? ''}' 在等自己`)
      : words('these stages wait for each other', '这些阶段互相等待'),
    first.span,
    first.text,
    {
      secondary: rest,
      notes: [words(round, round)],
      help: [
        self
          ? words('remove the reference', '去掉这个引用')
          : words(`break one of the ${path.length} references`, `断开这 ${path.length} 个引用中的一个`),
      ],
    },
  )
}

export function unknownOutput(
  span: Span,
  stage: string,
  port: string,
  near: string | null,
  kind: string,
  makes: readonly (readonly [string, ArtifactType])[],
): Diagnostic {
  const made = makes.map(([name, type]) => `${name} (${type})`).join(', ')
  const adapter = makes.find(([, type]) => type === 'adapter')
  return problem(
    'E112',
    words(`'${stage}' has no output '${port}'`, `'${stage}' 没有输出 '${port}'`),
    span,
    meant(near === null ? null : `${stage}.${near}`, words('unknown output', '未知的输出')),
    {
      notes: [words(`${kind} makes: ${made || 'nothing'}`, `${kind} 的输出：${made || '无'}`)],
      help: port === 'model' && adapter !== undefined ? [mergeAfter(`${stage}.${adapter[0]}`)] : [],
      fixes: rename(span, near, false),
    },
  )
}

/** How an adapter becomes a model. */
function mergeAfter(adapter: string): Words {
  const stage = `merge: { inputs: { adapter: ${adapter} } }`
  return words(
    `for a whole model put a merge stage after it:  ${stage}`,
    `要完整的模型，就在后面加一个 merge 阶段：  ${stage}`,
  )
}

export function unknownInput(
  span: Span,
  stage: string,
  port: string,
  near: string | null,
  ports: readonly string[],
): Diagnostic {
  return problem(
    'E112',
    words(`'${stage}' has no input '${port}'`, `'${stage}' 没有输入 '${port}'`),
    span,
    meant(near, words('unknown input', '未知的输入')),
    { help: [listed(words('inputs', '可用输入'), ports)], fixes: rename(span, near) },
  )
}

/** A function of a stage kind, which is a plugin's, threw. */
export function kindFails(span: Span, kind: string, fault: string): Diagnostic {
  return problem(
    'E322',
    words(`the stage kind '${kind}' fails with these options`, `阶段种类 '${kind}' 处理这些选项时出错`),
    span,
    words(fault, fault),
    {
      help: [
        words(
          'its plugin has to be put right: its functions take every option that its schema allows',
          '需要修正这个插件：凡是它的 schema 允许的选项，它的函数都应能处理',
        ),
      ],
    },
  )
}

/** A port that the file names itself becomes an environment variable. */
export function portName(span: Span, stage: string, port: string): Diagnostic {
  return problem(
    'E112',
    words(`an input of '${stage}' cannot be called '${port}'`, `'${stage}' 的输入不能叫 '${port}'`),
    span,
    words('it becomes an environment variable', '它会成为一个环境变量'),
    {
      help: [
        words(
          'lower-case letters a-z, digits and single hyphens, such as test-rows',
          '只用小写字母 a-z、数字和单个连字符，例如 test-rows',
        ),
      ],
    },
  )
}

export function unknownSource(
  span: Span,
  name: string,
  near: string | null,
  names: readonly string[],
): Diagnostic {
  return problem(
    'E112',
    words(`there is no source '${name}'`, `没有来源 '${name}'`),
    span,
    meant(near, words('unknown source', '未知的来源')),
    { help: [listed(words('sources in this file', '本文件的来源'), names)] },
  )
}

export function wrongArtifact(
  span: Span,
  stage: string,
  wanted: ArtifactType,
  found: Words,
  made: Span,
  better: string | null,
): Diagnostic {
  const noun = artifact(wanted)
  return problem(
    'E113',
    words(
      `'${stage}' wants ${noun.en} here, this is ${found.en}`,
      `'${stage}' 这里要 ${noun.zh}，给的是 ${found.zh}`,
    ),
    span,
    found,
    {
      secondary: [{ span: made, text: words('made here', '在这里产生') }],
      help: better === null ? [] : [words(`this would fit: ${better}`, `可以用：${better}`)],
    },
  )
}

/** What a stage makes, for `wrongArtifact`. */
export function everythingMade(types: readonly ArtifactType[]): Words {
  if (types.length === 0) return words('nothing to read', '空的')
  const nouns = types.map(artifact)
  return words(nouns.map((each) => each.en).join(', '), nouns.map((each) => each.zh).join('、'))
}

export function tie(
  span: Span,
  stage: string,
  type: ArtifactType,
  names: readonly string[],
  places: readonly Span[],
  gate: boolean,
): Diagnostic {
  const quoted = names.map((name) => `'${name}'`)
  const first = names[0] ?? ''
  const last = names.at(-1) ?? ''
  return problem(
    'E114',
    words(
      `'${stage}' could read ${type} from ${quoted.join(' or ')}`,
      `'${stage}' 的 ${type} 可以来自 ${quoted.join(' 或 ')}`,
    ),
    span,
    words('they are equally near', '它们一样近'),
    {
      secondary: places
        .filter((place) => place.start !== span.start)
        .map((place) => ({ span: place, text: SILENT })),
      help: gate
        ? [
            words(
              `name the yardstick:  stages.${stage}.baseline: ${last}`,
              `指定基线：  stages.${stage}.baseline: ${last}`,
            ),
            words(
              `or name the judged one:  stages.${stage}.metrics: ${first}`,
              `或指定被评判的阶段：  stages.${stage}.metrics: ${first}`,
            ),
          ]
        : [
            words(
              `say which one:  stages.${stage}.inputs: { ${type}: ${first} }`,
              `写明用哪一个：  stages.${stage}.inputs: { ${type}: ${first} }`,
            ),
          ],
    },
  )
}

export function severalOutputs(span: Span, stage: string, outputs: readonly string[]): Diagnostic {
  return problem(
    'E114',
    words(`'${stage}' has several outputs that would fit`, `'${stage}' 有几个输出都合适`),
    span,
    WHICH,
    { help: [listed(words('one of', '可选值'), outputs)] },
  )
}

export function severalSources(
  span: Span,
  stage: string,
  port: string,
  type: ArtifactType,
  names: readonly string[],
): Diagnostic {
  return problem(
    'E114',
    words(
      `'${stage}' could read ${type} from several sources`,
      `'${stage}' 的 ${type} 可以来自几个不同的来源`,
    ),
    span,
    WHICH,
    { help: names.map((name) => `stages.${stage}.inputs: { ${port}: sources.${name} }`) },
  )
}

export function makesLater(type: ArtifactType): Words {
  return words(`makes ${type}, but comes later`, `产生 ${type}，但排在后面`)
}

export function nothingMakes(
  span: Span,
  stage: string,
  port: string,
  type: ArtifactType,
  later: Label | null,
  laterName: string | null,
): Diagnostic {
  const noun = artifact(type)
  return problem(
    'E115',
    words(
      `'${stage}' needs ${noun.en}, and nothing before it makes any`,
      `'${stage}' 需要 ${noun.zh}，但前面没有阶段产生它`,
    ),
    span,
    later === null
      ? words(`nothing to read for '${port}'`, `'${port}' 没有数据可读`)
      : words('runs too early', '排得太早'),
    {
      secondary: later === null ? [] : [later],
      help:
        laterName !== null
          ? [
              words(
                `put ${laterName} before ${stage} in the flow line`,
                `在 flow 行里把 ${laterName} 放到 ${stage} 前面`,
              ),
            ]
          : type === 'dataset'
            ? ['data: data/*.jsonl']
            : type === 'ratings'
              ? ['sources: { ratings: { type: ratings, from: reviews/*.csv } }']
              : type === 'model' || type === 'corpus'
                ? [`sources: { my-${type}: { type: ${type}, from: path/to/it } }`]
                : [`stages.${stage}.inputs: { ${port}: <stage>.<output> }`],
    },
  )
}

export function unwiredOutsideFlow(span: Span, stage: string, port: string, type: ArtifactType): Diagnostic {
  return problem(
    'E115',
    words(
      `'${stage}' is not in flow, and nothing feeds its '${port}'`,
      `'${stage}' 不在 flow 里，'${port}' 没有数据`,
    ),
    span,
    words(`needs ${type}`, `需要 ${type}`),
    {
      help: [
        `stages.${stage}.inputs: { ${port}: <stage>.<output> }`,
        words(`or name ${stage} in the flow line`, `或者把 ${stage} 写进 flow 行`),
      ],
    },
  )
}

export function differentOrigin(
  span: Span,
  what: 'adapter' | 'tokens',
  stage: string,
  thingOrigin: string,
  modelOrigin: string,
  thing: Span,
): Diagnostic {
  const tokens = what === 'tokens'
  const made = tokens
    ? words(`cut by the tokenizer of ${thingOrigin}`, `由 ${thingOrigin} 的分词器切分`)
    : words(`trained on ${thingOrigin}`, `在 ${thingOrigin} 上训练`)
  return problem(
    'E116',
    words(`${what} and model come from different models`, `${what} 和 model 来自不同的模型`),
    span,
    words(`'${stage}' uses the model ${modelOrigin} …`, `'${stage}' 用的模型是 ${modelOrigin} …`),
    {
      secondary:
        thing.start === span.start
          ? []
          : [
              {
                span: thing,
                text: words(`… on ${tokens ? 'tokens' : 'an adapter'} ${made.en}`, `… 而 ${what} ${made.zh}`),
              },
            ],
      notes: [
        words(`the ${what} ${tokens ? 'were' : 'was'} ${made.en}`, `${what} 是${made.zh}的`),
        tokens
          ? words(
              'token ids would mean different words: the loss would look plausible and the model would be noise',
              '同一个 token 编号会对应不同的词：loss 看着正常，训出来的模型却是噪声',
            )
          : words(
              "an adapter is a difference to one model's weights; added to others it is noise",
              'adapter 是对某个模型权重的增量，加到别的模型上就是噪声',
            ),
      ],
      help: [words('use the same model for both', '两边用同一个模型')],
    },
  )
}

export function idleArrow(span: Span, from: string, to: string, fromSpan: Span): Diagnostic {
  return problem(
    'W119',
    words(`nothing flows from '${from}' to '${to}'`, `'${from}' 到 '${to}' 没有数据流动`),
    span,
    words(`${to} reads nothing from ${from}`, `${to} 不读取 ${from} 的任何输出`),
    {
      secondary: [{ span: fromSpan, text: SILENT }],
      notes: [words('such an arrow does not order the two stages either', '这样的箭头也不决定先后顺序')],
      help: [
        words(
          `draw the arrow from the stage that ${to} reads, or order them: stages.${to}.needs: [${from}]`,
          `箭头从 ${to} 读取的阶段画起；只想定顺序就写：stages.${to}.needs: [${from}]`,
        ),
      ],
    },
  )
}

export function brokenFlow(span: Span, found: string | null): Diagnostic {
  return problem(
    'E120',
    found === null
      ? words('the flow line ends too early', 'flow 行没有写完')
      : words(`'${found}' does not fit here`, `'${found}' 不该出现在这里`),
    span,
    found === null
      ? words('a stage is missing', '少了一个阶段')
      : words('expected a stage or an arrow', '这里应该是阶段或箭头'),
    {
      help: [
        'flow: clean -> split -> tokenize -> lora-train -> [eval, eval-base] -> gate',
        words(
          "a second chain comes after ';', on the same line or the next",
          "第二条链写在 ';' 之后，同一行或下一行都可以",
        ),
      ],
    },
  )
}

export function wrongArrow(span: Span, found: string): Diagnostic {
  return problem(
    'E120',
    words(`'${found}' is not an arrow`, `'${found}' 不是箭头`),
    span,
    words("write '->'", "写成 '->'"),
    { fixes: rename(span, '->') },
  )
}

/** `stage` is null for the defaults of all stages. */
export function cacheOff(span: Span, stage: string | null): Diagnostic {
  const name = stage ?? '<stage>'
  return problem(
    'W306',
    stage === null
      ? words('every stage runs again each time', '每次都会重跑所有阶段')
      : words(`'${stage}' runs again each time`, `'${stage}' 每次都会重跑`),
    span,
    words('although the same inputs give the same result', '输入不变，结果也不会变'),
    {
      help: [
        words('leave the line out', '去掉这一行'),
        words(`to run it again once: sluice run --force ${name}`, `只想重跑一次：sluice run --force ${name}`),
      ],
    },
  )
}

export function noneForRequired(span: Span, stage: string, port: string): Diagnostic {
  return problem(
    'E124',
    words(`'${stage}' cannot do without '${port}'`, `'${stage}' 不能没有 '${port}'`),
    span,
    words('only an optional input can be none', '只有可选的输入才能是 none'),
  )
}

export function gateKeyElsewhere(span: Span, key: string, stage: string): Diagnostic {
  return problem(
    'E125',
    words(`only a gate has '${key}'`, `只有门禁才有 '${key}'`),
    span,
    words(`'${stage}' is not a gate`, `'${stage}' 不是门禁`),
    {
      help: [
        key === 'metrics'
          ? words(
              `what to measure is an option:  ${stage}: { with: { metrics: [ … ] } }`,
              `要测量什么写在选项里：  ${stage}: { with: { metrics: [ … ] } }`,
            )
          : words('move it to a stage that says uses: gate', '移到写了 uses: gate 的阶段里'),
      ],
    },
  )
}

export function sourceWithoutType(span: Span, name: string): Diagnostic {
  return problem(
    'E126',
    words(`the source '${name}' needs a type and a place`, `来源 '${name}' 要写明类型和位置`),
    span,
    words('type and from are required', 'type 和 from 都要写'),
    { help: [`${name}: { type: dataset, from: data/*.jsonl }`] },
  )
}

export function emptyPath(span: Span): Diagnostic {
  return problem(
    'E126',
    words('the path is empty', '路径是空的'),
    span,
    words('name a file or a pattern', '写一个文件名或通配模式'),
    { help: ['data/*.jsonl'] },
  )
}

export function schemaWithoutRows(span: Span, type: ArtifactType): Diagnostic {
  return problem(
    'E128',
    words(
      'a schema names the fields of rows, which only a dataset has',
      'schema 说明数据行的字段，只有 dataset 才有',
    ),
    span,
    words(`this source is ${artifact(type).en}`, `这个来源是 ${artifact(type).zh}`),
    { help: [words('leave it out', '去掉这一项')] },
  )
}

export function schemaWithoutRole(span: Span, lacking: readonly string[]): Diagnostic {
  const names = lacking.join(', ')
  return problem(
    'E128',
    words(
      `the schema does not say what is ${lacking.join(' and ')}`,
      `schema 没有写明 ${lacking.join('、')}`,
    ),
    span,
    words(`${names} missing`, `缺少 ${names}`),
    { help: ['schema: { input: article, output: summary }'] },
  )
}

export function emptyField(span: Span, role: string): Diagnostic {
  return problem(
    'E128',
    words('the name of the field is empty', '字段名是空的'),
    span,
    words(`name the field that is the ${role}`, `写出哪个字段是 ${role}`),
    { help: ['schema: { input: article, output: summary }'] },
  )
}

export function fieldTwice(span: Span, field: string, role: string, first: Span): Diagnostic {
  return problem(
    'E128',
    words(`the field '${field}' cannot be two things`, `字段 '${field}' 不能身兼两职`),
    span,
    words('named for a second time', '第二次用到'),
    { secondary: [{ span: first, text: words(`it is the ${role}`, `它已经是 ${role}`) }] },
  )
}

export function measuresNothing(span: Span, stage: string): Diagnostic {
  return problem(
    'E132',
    words(`'${stage}' measures nothing`, `'${stage}' 不测量任何指标`),
    span,
    words('a baseline is a stage with metrics', '基线必须是有指标的阶段'),
  )
}

export function baselineIsJudged(span: Span, stage: string): Diagnostic {
  return problem(
    'E132',
    words(`'${stage}' cannot be its own yardstick`, `'${stage}' 不能拿自己当基线`),
    span,
    words('this is the judged stage', '被评判的就是它'),
    { help: ['baseline: untuned'] },
  )
}

/** `model` is what was tuned on the way to the judged stage; null if that is not known. */
export function untunedWithoutAdapter(
  span: Span,
  { name, kind }: { readonly name: string; readonly kind: StageSignature },
  model: string | null,
): Diagnostic {
  const twin = `${name}-base: { uses: ${kind.name}, inputs: { model: ${model ?? ''} } }`
  return problem(
    'E132',
    words(
      `'${name}' has no adapter, so untuned would be the same model`,
      `'${name}' 没有 adapter，untuned 会是同一个模型`,
    ),
    span,
    words('nothing to leave out', '没有可去掉的部分'),
    {
      help:
        model === null
          ? [words('name a stage that measures another model', '指定一个测量其他模型的阶段')]
          : [
              words(
                `let a stage of its own measure the model before training:  ${twin}`,
                `另写一个阶段，测量训练之前的模型：  ${twin}`,
              ),
              words(
                `put it beside ${name} in the flow line:  -> [${name}, ${name}-base] ->`,
                `在 flow 行里和 ${name} 并列：  -> [${name}, ${name}-base] ->`,
              ),
              `baseline: ${name}-base`,
            ],
    },
  )
}

export function severalUntuned(span: Span, first: string, second: string): Diagnostic {
  return problem(
    'E132',
    words(`'untuned' would be two things here`, `'untuned' 在这里有两个含义`),
    span,
    words(`'${first}' and '${second}' without adapter`, `不带 adapter 的 '${first}' 和 '${second}'`),
    {
      help: [
        words(
          'write one of them as a stage:  eval-base: { uses: eval, inputs: { adapter: none } }',
          '把其中一个写成阶段：  eval-base: { uses: eval, inputs: { adapter: none } }',
        ),
      ],
    },
  )
}
