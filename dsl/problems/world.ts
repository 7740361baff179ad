/** E3xx: mistakes that only the world can show: files, data, the lock. */
import type { Diagnostic } from '../diagnostic.ts'
import type { Overlap } from '../facts.ts'
import { hubAddress } from '../hub-address.ts'
import type { PipelineSource } from '../pipeline.ts'
import type { Span } from '../source.ts'
import { problem, words } from './problem.ts'

export function missingSource({ name, type, span }: PipelineSource, pattern: string): Diagnostic {
  const onHub = type === 'model' && hubAddress(`hf:${pattern}`) !== null && !/^models?\//.test(pattern)
  return problem(
    'E310',
    words(`the source '${name}' is not there`, `找不到来源 '${name}'`),
    span,
    words(`no file matches ${pattern}`, `没有文件匹配 ${pattern}`),
    {
      notes: [words("paths are relative to the project's root", '路径从项目根目录算起')],
      help: [
        ...(onHub
          ? [
              words(
                `the model of that name on a hub is  hf:${pattern}`,
                `模型库里的同名模型写成  hf:${pattern}`,
              ),
            ]
          : []),
        words(
          'put the file there, or correct the path; optional: true if the pipeline can do without it',
          '把文件放到那里，或改正路径；流水线没有它也能跑就写 optional: true',
        ),
      ],
    },
  )
}

/** A stage claims a resource of which nobody said how much there is, or more than there is. */
export function missingResource(
  span: Span,
  name: string,
  { claimed, there }: { readonly claimed: number; readonly there: number | null },
): Diagnostic {
  return problem(
    'E311',
    there === null
      ? words(`there is no resource '${name}'`, `没有资源 '${name}'`)
      : words(`there are only ${there} of '${name}'`, `'${name}' 一共只有 ${there} 个`),
    span,
    there === null
      ? words('nothing says how many there are', '没写一共有几个')
      : words(`${claimed} are claimed`, `这里要 ${claimed} 个`),
    {
      help: [
        words(
          `in sluice.config.yaml:  resources: { ${name}: ${claimed} }`,
          `在 sluice.config.yaml 里写：  resources: { ${name}: ${claimed} }`,
        ),
      ],
    },
  )
}

/** Rows that are asked in the test were learnt, question and all. */
export function testInTrain(span: Span, { rows, of, test, train }: Overlap): Diagnostic {
  const [asked, learnt] = [test.prompt, train.prompt].map(shortened)
  return problem(
    'E301',
    words('prompts from the training split are in the test split', '测试集里有训练集的提示词'),
    span,
    words(`${rows} of ${of} test rows ask what train has`, `测试集 ${of} 行里有 ${rows} 行在训练集里问过`),
    {
      notes: [
        words(
          'case, full and half width, spaces and punctuation do not count',
          '不计大小写、全角半角、空格和标点的差别',
        ),
        words(
          `e.g. ${test.place} “${asked}”  =  ${train.place} “${learnt}”`,
          `例如 ${test.place}「${asked}」 =  ${train.place}「${learnt}」`,
        ),
      ],
      help: [
        words(
          'take these rows out of one of them; a clean stage before the others drops them from test',
          '从其中一个文件里删掉这些行；在最前面加一个 clean 阶段也会把它们从测试集里去掉',
        ),
        words(
          'if it is meant, as a test of memory, give that split another name than test:  { train: …, seen: … }',
          '如果是有意考记忆，就给这个划分换个名字，不叫 test：  { train: …, seen: … }',
        ),
      ],
    },
  )
}

const MOST_SHOWN = 40

function shortened(text: string): string {
  const characters = Array.from(text.replace(/\s+/g, ' ').trim())
  return characters.length <= MOST_SHOWN
    ? characters.join('')
    : `${characters.slice(0, MOST_SHOWN - 1).join('')}…`
}

/** `share` of the responses contains Han characters. */
export function bleuOnChinese(span: Span, stage: string, files: string, share: number): Diagnostic {
  const percent = Math.round(share * 100)
  return problem(
    'W206',
    words('BLEU without a Chinese tokenizer', 'BLEU 没有使用中文分词'),
    span,
    words('the default 13a splits at spaces', '默认的 13a 按空格切分'),
    {
      notes: [
        words(
          `${percent}% of the responses sampled from ${files} contain Han characters: most sentences would be one single word`,
          `从 ${files} 抽样的回答里有 ${percent}% 含汉字：大多数句子会被当成一个词`,
        ),
      ],
      help: [`stages.${stage}.with.bleu_tokenizer: zh`],
    },
  )
}

/** Memory ran out while a stage computed batches of `batch` rows; `gradAccum` is null where a stage has no such option. */
export function outOfMemory(
  span: Span,
  stage: string,
  { batch, gradAccum }: { readonly batch: number; readonly gradAccum: number | null },
): Diagnostic {
  const half = Math.floor(batch / 2)
  const smaller =
    gradAccum === null
      ? words(`with less memory: batch_size: ${half}`, `少用内存：batch_size: ${half}`)
      : words(
          `the same training with less memory: batch_size: ${half}, grad_accum: ${Math.ceil((batch * gradAccum) / half)}`,
          `结果相同而少用内存：batch_size: ${half}, grad_accum: ${Math.ceil((batch * gradAccum) / half)}`,
        )
  return problem(
    'E302',
    words(`${stage} ran out of memory`, `${stage} 内存不足`),
    span,
    words(`${batch} rows at once did not fit`, `一次算 ${batch} 行，装不下`),
    {
      notes: [
        words(
          'finished stages are kept, and training goes on from its checkpoint if its options stay',
          '已完成的阶段都保留；选项不变时，训练会从检查点接着跑',
        ),
      ],
      help: [
        ...(half >= 1 ? [smaller] : []),
        words(
          'or shorter rows (tokenize: max_length), fewer stages at once (resources: { memory: … }), a smaller model',
          '或缩短每行（tokenize 的 max_length）、减少同时跑的阶段（resources: { memory: … }）、换小一些的模型',
        ),
      ],
    },
  )
}

export interface SmallTest {
  readonly rows: number
  /** The smallest difference that these rows could show. */
  readonly detectable: string
  /** The difference that was measured. */
  readonly measured: string
  /** Rows that it would take to show it. */
  readonly needed: number
}

export function testSetTooSmall(span: Span, { rows, detectable, measured, needed }: SmallTest): Diagnostic {
  return problem(
    'W209',
    words('this test set is too small for this question', '测试集太小，回答不了这个问题'),
    span,
    words(
      `${rows} rows can only show differences above ${detectable}`,
      `${rows} 行只能看出大于 ${detectable} 的差别`,
    ),
    {
      notes: [
        words(
          `the last run measured ${measured}; to show as little as that takes about ${needed} rows`,
          `上次运行测得 ${measured}；要看出这么小的差别约需 ${needed} 行`,
        ),
      ],
      help: [
        words(
          'enlarge the split that is judged, or ask for a plain margin without `with`',
          '加大被评判的划分，或去掉 with，只要求一个差值',
        ),
      ],
    },
  )
}

/** Marks of a merge that nobody has finished; `theirs` is where the other side begins. */
export function lockConflict(span: Span, theirs: Span | null): Diagnostic {
  const { path } = span.source
  return problem(
    'E303',
    words('the lock file holds conflict markers', '锁文件里有合并冲突标记'),
    span,
    words('git left both sides here', 'git 在这里留下了两边的内容'),
    {
      secondary: theirs === null ? [] : [{ span: theirs, text: words('the other side', '另一边') }],
      notes: [
        words('what the lock says can be found again from the results', '锁文件的内容可以从已有结果重新得出'),
      ],
      help: [
        'sluice lock --resolve',
        words(
          `or take either side and run again: git checkout --theirs ${path}`,
          `或任选一边再运行：git checkout --theirs ${path}`,
        ),
      ],
    },
  )
}

export function lockDamaged(span: Span): Diagnostic {
  const { path } = span.source
  return problem(
    'E304',
    words('the lock file is damaged', '锁文件已损坏'),
    span,
    words('sluice does not write such a line', 'sluice 不会写出这样的一行'),
    {
      help: [
        `git checkout ${path}`,
        words(
          'or delete the file: the next complete run writes it again',
          '或删掉它：下次完整运行会重新写出',
        ),
      ],
    },
  )
}
