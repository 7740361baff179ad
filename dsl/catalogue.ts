/** What each code means, a wrong and a right example, and why the rule exists: the text of `sluice explain`. */
import { words } from './problems/problem.ts'
import type { Words } from './words.ts'

export interface Explanation {
  readonly meaning: Words
  readonly wrong: Words | string
  readonly right: Words | string
  readonly why: Words
}

const entry = (meaning: Words, wrong: Words | string, right: Words | string, why: Words): Explanation => ({
  meaning,
  wrong,
  right,
  why,
})

export const catalogue: Readonly<Record<string, Explanation>> = {
  E001: entry(
    words('A line is indented with a tab.', '有一行用制表符缩进。'),
    words('<tab>with: { r: 8 }', '<制表符>with: { r: 8 }'),
    '    with: { r: 8 }',
    words(
      'YAML measures depth in spaces; a tab has no agreed width, so it is forbidden there.',
      'YAML 按空格数判断层次；制表符没有统一的宽度，所以不允许用来缩进。',
    ),
  ),
  E002: entry(
    words('A text that contains a colon and a space is not quoted.', '文本里有冒号加空格，但没有加引号。'),
    'template: 问: {prompt}',
    'template: "问: {prompt}"',
    words('YAML takes the colon for the start of a nested value.', 'YAML 会把冒号当成下一层键的开头。'),
  ),
  E003: entry(
    words('A key is not part of the language.', '这个键不属于流水线语言。'),
    'stage: { clean: { … } }',
    'stages: { clean: { … } }',
    words(
      'An ignored key would be a setting that silently does nothing.',
      '如果忽略它，就等于有一项设置悄悄不起作用。',
    ),
  ),
  E004: entry(
    words('A key is written twice in one map.', '同一层里同一个键写了两次。'),
    'eval: { with: { split: test } }\neval: { with: { split: validation } }',
    'eval: { with: { split: test } }\neval-dev: { uses: eval, with: { split: validation } }',
    words(
      'YAML readers keep one of them, and not all the same one.',
      'YAML 读取器只会留下其中一个，而且留哪个各不相同。',
    ),
  ),
  E005: entry(
    words("An unquoted value starts with '!'.", "没加引号的值以 '!' 开头。"),
    '- !missing and bleu >= 0.3',
    '- bleu is not missing and bleu >= 0.3',
    words(
      'In YAML that is a tag; the word would vanish and the check would mean its opposite.',
      '在 YAML 里这是标签，这个词会消失，检查项的意思就反了。',
    ),
  ),
  E006: entry(
    words("A value uses '${{ }}'.", "值里用了 '${{ }}'。"),
    'lr: ${{ params.lr }}',
    'lr: =params.lr',
    words(
      'Braces clash with YAML maps and with chat templates, so values are computed with a leading =.',
      '花括号和 YAML 的键值表、聊天模板都会冲突，所以计算值用开头的 = 表示。',
    ),
  ),
  E007: entry(
    words(
      'A computed value with a comma stands unquoted inside brackets.',
      '括号里带逗号的计算值没有加引号。',
    ),
    '{ r: =min(8, 16) }',
    '{ r: "=min(8, 16)" }',
    words(
      'YAML splits at the comma before we can see the expression.',
      'YAML 先在逗号处切断，我们看不到完整的表达式。',
    ),
  ),
  E008: entry(
    words('The text is not YAML.', '这段文字不是合法的 YAML。'),
    'with: { train: 80%',
    'with: { train: 80% }',
    words(
      'Nothing after the mistake can be trusted, so nothing is run.',
      '出错位置之后的内容都不可信，所以什么都不运行。',
    ),
  ),
  E009: entry(
    words('The name in the file is not the name of the file.', '文件里的名字和文件名不一致。'),
    '# support-zh.pipeline.yaml\nname: support',
    '# support-zh.pipeline.yaml\nname: support-zh',
    words(
      'Locks, reports and commands go by the name; two names for one pipeline lead to comparing the wrong runs.',
      '锁文件、报告和命令都按名字查找；一条流水线两个名字，就可能拿错运行结果来比较。',
    ),
  ),
  E010: entry(
    words('An alias leads nowhere, or unfolds to too much.', '别名没有对应的锚点，或者展开后太大。'),
    'lora-train: { with: *common }',
    'lora-train: { with: &common { r: 8 } }\nmore-train: { uses: lora-train, with: *common }',
    words(
      'A few nested aliases can unfold to gigabytes; a limit keeps the file readable, too.',
      '几个嵌套的别名就能展开成几个 GB；加上限制，文件也更好读。',
    ),
  ),
  E011: entry(
    words("The merge key '<<' is used.", "用了合并键 '<<'。"),
    'with: { <<: *common, r: 8 }',
    'with: { epochs: 3, r: 8 }',
    words(
      'It left YAML in version 1.2, and readers disagree about which value wins.',
      'YAML 1.2 已经去掉它，而且各家读取器对谁覆盖谁的理解不一致。',
    ),
  ),
  E012: entry(
    words('The flow line is a YAML list.', 'flow 这一行被 YAML 读成了列表。'),
    'flow: [a, b] -> c',
    'flow: "[a, b] -> c"',
    words("A value that starts with '[' is a list to YAML.", "以 '[' 开头的值在 YAML 里就是列表。"),
  ),
  E013: entry(
    words('Two sources have the same name.', '两个来源重名。'),
    'data: a.jsonl\nsources: { data: { type: dataset, from: b.jsonl } }',
    'data: a.jsonl\nsources: { more: { type: dataset, from: b.jsonl } }',
    words('data: and model: at the top are sources, too.', '顶层的 data: 和 model: 也是来源。'),
  ),
  E014: entry(
    words('A name does not follow the rule for names.', '名字不符合命名规则。'),
    'Eval_Base',
    'eval-base',
    words(
      'Names become file names, command arguments and words in checks, so one simple rule holds for all.',
      '名字会用作文件名、命令行参数和检查项里的词，所以全部用同一条简单规则。',
    ),
  ),
  E015: entry(
    words('A stage has a reserved name.', '阶段用了保留字作名字。'),
    'stages: { main: { uses: eval } }',
    'stages: { main-eval: { uses: eval } }',
    words(
      'In checks main, baseline and the like mean scores from somewhere else.',
      '在检查项里，main、baseline 等指的是别处的分数。',
    ),
  ),
  E016: entry(
    words('A required key is missing.', '缺少必需的键。'),
    'flow: clean -> split',
    'version: 1\nname: my-pipeline\nflow: clean -> split',
    words(
      'Version and name decide how the rest is read and kept.',
      'version 和 name 决定其余内容怎么读、怎么保存。',
    ),
  ),
  E017: entry(
    words('The language version is not known.', '不认识这个语言版本。'),
    'version: 2',
    'version: 1',
    words(
      'A newer file may mean something else by the same words.',
      '更新版本的文件里，同样的词可能是别的意思。',
    ),
  ),
  E018: entry(
    words('There is no pipeline in the file.', '文件里没有流水线。'),
    words('(an empty file)', '（空文件）'),
    'version: 1\nname: my-pipeline\ndata: data/*.jsonl\nflow: clean',
    words('A run of nothing would look like a success.', '什么都不跑也会看起来像成功。'),
  ),
  E019: entry(
    words('The file is not plain UTF-8 text.', '文件不是纯 UTF-8 文本。'),
    words('(a file saved as UTF-16 or GBK)', '（以 UTF-16 或 GBK 保存的文件）'),
    words('(the same file saved as UTF-8)', '（同一文件以 UTF-8 保存）'),
    words(
      'Read in the wrong encoding, Chinese text becomes other characters without any error.',
      '用错编码读取时，中文会变成别的字，而且不报错。',
    ),
  ),
  E020: entry(
    words(
      'A full-width sign of an input method stands where YAML needs an ASCII one.',
      '该用半角符号的地方用了输入法的全角符号。',
    ),
    'split: { with: { train：80%，test：20% } }',
    'split: { with: { train: 80%, test: 20% } }',
    words(
      'To YAML such a sign is a letter like any other, so keys and lists silently become text.',
      '对 YAML 来说全角符号只是普通字符，键和列表会悄悄变成文本。',
    ),
  ),
  E021: entry(
    words('A colon has no space after it.', '冒号后面没有空格。'),
    'lora-train: { with: { r:8 } }',
    'lora-train: { with: { r: 8 } }',
    words(
      "YAML reads 'r:8' as one word, as it has to for times and addresses.",
      "YAML 把 'r:8' 读成一个词，因为时间和网址也要这样写。",
    ),
  ),
  W022: entry(
    words('A number starts with a zero.', '数字以 0 开头。'),
    'seed: 042',
    'seed: 42',
    words(
      'YAML 1.2 reads 42, YAML 1.1 reads 34: the same file would mean two things.',
      'YAML 1.2 读成 42，YAML 1.1 读成 34：同一个文件有两种意思。',
    ),
  ),
  E101: entry(
    words('A stage kind has no such option.', '这种阶段没有这个选项。'),
    'lora_alpha: 32',
    'alpha: 32',
    words(
      'A misspelt option would leave the default in force without a word.',
      '选项拼错而不报错，就会悄悄沿用默认值。',
    ),
  ),
  E102: entry(
    words('A text stands where a number belongs.', '该写数字的地方写了文本。'),
    'lr: 2-e4',
    'lr: 2e-4',
    words(
      'It would reach the training as text, or as nothing.',
      '否则训练拿到的会是一段文本，或者什么都没有。',
    ),
  ),
  E103: entry(
    words('A number is outside its range.', '数字超出范围。'),
    'dropout: 5',
    'dropout: 5%',
    words(
      'Ranges come from what the value means: a share cannot be more than all.',
      '范围由含义决定：比例不可能超过全部。',
    ),
  ),
  E104: entry(
    words('A duration or size has no unit, or one that does not fit.', '时长或大小没有单位，或者单位不对。'),
    'timeout: 6',
    'timeout: 6h',
    words(
      'Seconds and hours, GB and GiB are confused exactly when nobody looks.',
      '秒和小时、GB 和 GiB，总是在没人注意的时候弄混。',
    ),
  ),
  E105: entry(
    words('A parameter is used or set that is not declared.', '用到或设置了没有声明的参数。'),
    'sluice run -p learningrate=1e-4',
    'sluice run -p lr=1e-4',
    words(
      'A typo in -p would otherwise run the defaults under a new label.',
      '否则 -p 拼错时，跑的还是默认值，却挂着新的标签。',
    ),
  ),
  E106: entry(
    words('A name in a computed value is not known.', '计算值里出现了不认识的名字。'),
    'lr: =lr * 2',
    'lr: =params.lr * 2',
    words(
      'Values are computed before anything runs, so only parameters exist.',
      '计算值在运行之前就算好，那时只有参数。',
    ),
  ),
  E107: entry(
    words('A part of a computed value has the wrong type.', '计算值中某一部分的类型不对。'),
    '=params.smoke + 1',
    '=if(params.smoke, 1, 2)',
    words(
      'There are no conversions: true is not 1 and nothing is not 0.',
      '不做任何隐式转换：true 不是 1，空也不是 0。',
    ),
  ),
  E108: entry(
    words('A computed value is not a finite number.', '计算结果不是有限的数。'),
    '=1 / 0',
    '=1 / params.parts',
    words('Infinity as a setting is never meant.', '没有人真的想把设置写成无穷大。'),
  ),
  E109: entry(
    words('A value has the wrong type or form.', '值的类型或形式不对。'),
    'r: [8]',
    'r: 8',
    words(
      'A list where a number belongs cannot be guessed right.',
      '该写数字的地方写了列表，谁也猜不准本意。',
    ),
  ),
  E110: entry(
    words('There is no stage or stage kind of this name.', '没有这个名字的阶段或阶段类型。'),
    'flow: clean -> tokenise',
    'flow: clean -> tokenize',
    words(
      'Stages are found by name; a typo would be a stage that never runs.',
      '阶段按名字查找；拼错一个字，就会有一个阶段永远不运行。',
    ),
  ),
  E111: entry(
    words('Stages wait for each other in a circle.', '阶段之间循环等待。'),
    'clean: { inputs: { data: split } }\nsplit: { inputs: { data: clean } }',
    'clean: { inputs: { data: sources.data } }\nsplit: { inputs: { data: clean } }',
    words('None of them could ever start.', '它们谁都没法先开始。'),
  ),
  E112: entry(
    words('There is no port or source of this name.', '没有这个名字的端口或来源。'),
    'inputs: { adapter: train.model }',
    'inputs: { adapter: train.adapter }',
    words('Every stage kind lists what it reads and makes.', '每种阶段类型都列明了自己读什么、产出什么。'),
  ),
  E113: entry(
    words('A port is given something of another type.', '端口接到了别的类型。'),
    'inputs: { tokens: split.data }',
    'inputs: { tokens: tokenize.tokens }',
    words(
      'Rows are not tokens; the stage would fail late or, worse, read rubbish.',
      '数据行不是 tokens；这样的阶段要么很晚才失败，要么更糟：读进一堆垃圾。',
    ),
  ),
  E114: entry(
    words('Two things could be meant.', '有两种可能，无法判断是哪一种。'),
    'flow: lora-train -> [eval, eval-base] -> gate',
    'gate: { baseline: eval-base, checks: [bleu > baseline.bleu] }',
    words('Wiring by type never guesses.', '按类型接线从不猜测。'),
  ),
  E115: entry(
    words('Nothing feeds an input.', '有一个输入没有数据。'),
    'flow: split -> lora-train -> tokenize',
    'flow: split -> tokenize -> lora-train',
    words(
      'Arrows and types say where data comes from; here nothing upstream makes it.',
      '数据从哪里来由箭头和类型决定；这里的上游没有产生它。',
    ),
  ),
  E116: entry(
    words('Tokens or an adapter belong to another model.', 'tokens 或 adapter 属于另一个模型。'),
    'tokenize: { inputs: { model: sources.small } }\nlora-train: { inputs: { model: sources.large } }',
    'tokenize: { inputs: { model: sources.large } }\nlora-train: { inputs: { model: sources.large } }',
    words(
      'Token numbers and weight differences mean nothing to another model, yet training would run.',
      '换个模型，token 编号和权重增量就没有意义，而训练照样能跑完。',
    ),
  ),
  W119: entry(
    words('An arrow carries no data.', '箭头上没有数据流动。'),
    'flow: clean -> eval',
    'flow: tokenize -> eval',
    words('It suggests an order that does not exist.', '它让人以为有先后顺序，其实没有。'),
  ),
  E120: entry(
    words('The flow line cannot be read.', 'flow 行读不懂。'),
    'flow: clean => split',
    'flow: clean -> split',
    words('It is made of stage names, ->, [ , ] and ; only.', '它只由阶段名、->、[ , ] 和 ; 组成。'),
  ),
  E121: entry(
    words('A value is not one of the choices.', '值不在可选范围内。'),
    'schedule: cosin',
    'schedule: cosine',
    words('Each choice is a different computation.', '每个可选值都是一种不同的计算。'),
  ),
  E122: entry(
    words('A required option is missing.', '缺少必需的选项。'),
    'publish: { with: {} }',
    'publish: { with: { to: dist/model } }',
    words('There is no default that would be right for most.', '没有对多数人都合适的默认值。'),
  ),
  E124: entry(
    words('A required input is set to none.', '必需的输入被设成了 none。'),
    'inputs: { model: none }',
    'inputs: { adapter: none }',
    words('Only an optional input can stay empty.', '只有可选的输入才能空着。'),
  ),
  E125: entry(
    words('A key of gates stands in another stage.', '门禁的键写在了别的阶段里。'),
    'eval: { checks: [bleu >= 0.3] }',
    'gate: { checks: [bleu >= 0.3] }',
    words(
      'Only a gate judges; elsewhere the checks would never be looked at.',
      '只有门禁才做评判；写在别处，这些检查项永远没人看。',
    ),
  ),
  E126: entry(
    words('A source lacks its type or its place.', '来源缺少类型或位置。'),
    'sources: { book: book.txt }',
    'sources: { book: { type: corpus, from: book.txt } }',
    words(
      'The type decides who may read it: text for pretraining is kept apart from rows that are judged.',
      '类型决定谁能读它：预训练用的文本和用来评判的数据行要分开。',
    ),
  ),
  E123: entry(
    words('A source is an address that is not fetched.', '来源写的是不会去下载的地址。'),
    'data: https://example.com/rows.jsonl',
    'data: data/rows.jsonl',
    words(
      'A model may come from a hub, as hf:ORG/NAME: the lock pins its commit, and every file is checked against it. Elsewhere the same address can give other bytes tomorrow.',
      '模型可以写 hf:组织/名字 从模型库下载：锁文件固定提交，每个文件都会校验。别处的同一地址明天可能给出别的内容。',
    ),
  ),
  E127: entry(
    words('A function does not exist or gets the wrong arguments.', '没有这个函数，或者参数不对。'),
    '=maxx(1, 2)',
    '=max(1, 2)',
    words(
      'The list of functions is short so that every value can be explained.',
      '函数表很短，这样每个值都能解释清楚。',
    ),
  ),
  E128: entry(
    words('The schema of a source does not fit.', '来源的 schema 不对。'),
    'schema: { input: article }',
    'schema: { input: article, output: summary }',
    words(
      'It says which field of a row is the prompt and which the response; guessing would train on the wrong text.',
      '它说明每行数据里哪个字段是问题、哪个是回答；靠猜就会拿错文本去训练。',
    ),
  ),
  E129: entry(
    words('A parameter is not declared completely.', '参数的声明不完整。'),
    'params: { lr: { type: number } }',
    'params: { lr: { default: 2e-4, range: 1e-6..1e-2 } }',
    words(
      'Without a default the file alone would not be a pipeline.',
      '没有默认值，光靠文件就构不成一条流水线。',
    ),
  ),
  E130: entry(
    words('A key of a later version.', '以后的版本才有的键。'),
    'workers: { gpu: { connect: https://gpu.internal:8443 } }',
    'workers: { gpu: { run: python -m kernel_worker, capabilities: [lora-train] } }',
    words(
      'It is planned; ignoring it would do something else than the file says.',
      '它已在计划中；现在忽略它，做的事就和文件写的不一样。',
    ),
  ),
  E132: entry(
    words('The baseline cannot be a yardstick.', '这个基线不能用来比较。'),
    'gate: { metrics: eval, baseline: eval }',
    'gate: { metrics: eval, baseline: untuned }',
    words(
      'It has to be another measurement than the judged one.',
      '它必须是另一次测量，不能是被评判的那一次。',
    ),
  ),
  E201: entry(
    words('A check names a metric that is not measured.', '检查项里的指标没有被测量。'),
    '- meteor >= 0.3',
    '- bleu >= 0.3',
    words('Such a check could never be decided.', '这样的检查项永远得不出结论。'),
  ),
  E202: entry(
    words('A check can never pass.', '检查项永远不可能通过。'),
    '- bleu >= 30',
    '- bleu >= 30%',
    words(
      'A gate that always fails gets switched off, and then protects nothing.',
      '总是失败的门禁会被人关掉，然后什么都保护不了。',
    ),
  ),
  W203: entry(
    words('A check passes when the model gets worse.', '模型变差时检查项反而通过。'),
    '- perplexity >= 12',
    '- perplexity <= 12',
    words(
      'For some metrics less is better; the comparison was probably written the wrong way round.',
      '有些指标越小越好；这里的比较多半写反了。',
    ),
  ),
  W206: entry(
    words(
      'BLEU is measured on Chinese text with a tokenizer that splits at spaces.',
      '用按空格切分的分词方式在中文上计算 BLEU。',
    ),
    'eval: { with: { metrics: [bleu] } }',
    'eval: { with: { metrics: [bleu], bleu_tokenizer: zh } }',
    words(
      'A sentence without spaces is one word, so BLEU is near 0 or exactly 1 and says nothing.',
      '没有空格的句子会被当成一个词，BLEU 要么接近 0 要么正好是 1，没有意义。',
    ),
  ),
  E207: entry(
    words(
      'A required check could not be decided, so neither could the gate.',
      '有一个必须的检查项无法裁定，质量门也就无法裁定。',
    ),
    words(
      'bleu no worse than main by 2%   (main has no passing run yet)',
      'bleu no worse than main by 2%   （main 还没有通过的运行）',
    ),
    'bleu >= main.bleu ?? 0.30',
    words(
      'What is not known never passes: a gate that waves through what it could not measure protects nothing. Exit code 4.',
      '不知道的一律不算通过：测不出来就放行的质量门等于没有。退出码 4。',
    ),
  ),
  E208: entry(
    words('A value of a required check is NaN or infinite.', '必须的检查项里有一个值是 NaN 或无穷大。'),
    words('perplexity <= 12   (perplexity is NaN)', 'perplexity <= 12   （perplexity 是 NaN）'),
    words(
      'perplexity <= 12   (all rows have a finite loss)',
      'perplexity <= 12   （每行的损失都是有限的数）',
    ),
    words(
      'NaN compares false with everything, so `not (perplexity > 12)` would pass a broken model.',
      'NaN 和任何数比较都是假，于是 `not (perplexity > 12)` 会放过坏掉的模型。',
    ),
  ),
  E301: entry(
    words(
      'The test split that you name has prompts of the training split.',
      '你给的测试集里有训练集的提示词。',
    ),
    'data: { train: data/all.jsonl, test: data/some-of-all.jsonl }',
    'data: data/all.jsonl\nflow: clean -> split -> tokenize',
    words(
      'The model would be asked what it has learnt by heart: a high score then says nothing about new questions. Files up to 64 MB together are compared.',
      '等于考背过的原题，分数再高也说明不了新问题答得怎样。两边合计不超过 64 MB 的文件会做比较。',
    ),
  ),
  E302: entry(
    words('Memory ran out while a stage computed a batch.', '阶段算一批数据时内存不足。'),
    'lora-train: { with: { batch_size: 8 } }',
    'lora-train: { with: { batch_size: 4, grad_accum: 2 } }',
    words(
      'Memory grows with the rows of a batch; the gradient of two halves added up is that of the whole. `retry: { on: [oom] }` helps only where others took the memory.',
      '内存随一批的行数增长；分两半算再相加，梯度和整批一样。只有内存是被别人占用时，`retry: { on: [oom] }` 才有用。',
    ),
  ),
  W209: entry(
    words(
      'A statistical check asks for more than the rows of the test split can show.',
      '统计检查要看出的差别，测试划分的行数不够。',
    ),
    words('118 rows, to show a difference of 0.014', '118 行，要看出 0.014 的差别'),
    words('410 rows, to show a difference of 0.014', '410 行，要看出 0.014 的差别'),
    words(
      'Such a gate stops good models by chance. It is estimated from the rows of the last run, and said before anything is trained.',
      '这样的 gate 会随机拦下好模型。根据上次运行的各行估算，在训练开始前就提示。',
    ),
  ),
  E211: entry(
    words('A check is not a comparison.', '检查项不是比较。'),
    '- bleu',
    '- bleu >= 0.3',
    words(
      'A number is neither true nor false, and there are no conversions.',
      '数字没有真假，也不做隐式转换。',
    ),
  ),
  E213: entry(
    words('Two sides have different units.', '两边的单位不同。'),
    '- bleu >= 30s',
    '- bleu >= 30%',
    words('Seconds and bytes cannot be compared.', '秒和字节没法比较。'),
  ),
  E214: entry(
    words('Comparisons are chained.', '比较连写了。'),
    '- 0.2 <= bleu <= 0.5',
    '- bleu between 0.2 and 0.5',
    words('Most languages would compare true with 0.5 here.', '大多数语言会在这里拿 true 去和 0.5 比。'),
  ),
  W215: entry(
    words('A check can never fail.', '检查项永远不会失败。'),
    '- bleu >= 0',
    '- bleu >= 0.3',
    words('It looks like protection and is none.', '看起来有保护，其实没有。'),
  ),
  E216: entry(
    words('A metric is compared with itself.', '指标在和自己比较。'),
    '- bleu >= bleu',
    '- bleu >= baseline.bleu',
    words('The result is known without a model.', '不用训练就知道结果。'),
  ),
  E217: entry(
    words('A gate requires nothing.', '门禁没有任何必须通过的要求。'),
    'checks: []',
    'checks: [bleu >= 0.30]',
    words('A gate that cannot block lets everything pass.', '拦不住任何东西的门禁会放行一切。'),
  ),
  E218: entry(
    words('An item of checks is not a check.', 'checks 里的这一项不是检查项。'),
    '- bleu: 0.3',
    '- bleu >= 0.3',
    words('A check is one sentence, so that it can be read aloud.', '检查项是一句能念出来的话。'),
  ),
  E219: entry(
    words('There is nothing of this name to compare with.', '没有这个名字的比较对象。'),
    '- prod.bleu >= 0.3',
    '- main.bleu >= 0.3',
    words(
      'Known are baseline (if named), main, last, and the stages that measure.',
      '可以用的有 baseline（指定了的话）、main、last，以及会测量指标的阶段。',
    ),
  ),
  E220: entry(
    words('An expression cannot be read.', '表达式读不懂。'),
    '- bleu >=',
    '- bleu >= 0.3',
    words(
      'A check that is read differently from what was meant is worse than none.',
      '读成另一个意思的检查项，比没有还糟。',
    ),
  ),
  E221: entry(
    words('A sign of another language.', '用了别的语言的符号。'),
    '- bleu ≥ 0.3 && rouge_l ≥ 0.2',
    '- bleu >= 0.3 and rouge_l >= 0.2',
    words(
      'Words are used instead of signs that YAML or an input method change.',
      '这里用单词代替符号，因为符号会被 YAML 或输入法改掉。',
    ),
  ),
  E222: entry(
    words('A direction word follows something without a direction.', '表示好坏的词用在了没有方向的东西上。'),
    '- bleu + 1 better than baseline',
    '- bleu better than baseline by 0.1',
    words('Only a metric declares which way is better.', '只有指标才声明了往哪个方向算更好。'),
  ),
  E223: entry(
    words('A margin is negative.', '差距是负数。'),
    '- bleu better than baseline by -0.1',
    '- bleu no worse than baseline by 0.1',
    words('better than … by -0.1 would mean worse.', 'better than … by -0.1 的意思就成了更差。'),
  ),
  E303: entry(
    words(
      'The lock file holds the marks of a merge that nobody finished.',
      '锁文件里有没处理完的合并冲突标记。',
    ),
    '<<<<<<< HEAD',
    'sluice lock --resolve',
    words(
      'Half of one lock and half of another describe a result that never was.',
      '两份锁各取一半，描述的是一个从没存在过的结果。',
    ),
  ),
  E304: entry(
    words('The lock file holds a line that sluice does not write.', '锁文件里有 sluice 不会写出的行。'),
    '    key: "sha2',
    'git checkout pipelines/demo.pipeline.lock',
    words(
      'A lock that is read wrongly would compare today with a result that never was.',
      '读错的锁文件会拿今天的结果和从没存在过的结果比较。',
    ),
  ),
  W305: entry(
    words('A model is named by a branch or a tag.', '用分支名或标签指定了模型。'),
    'model: hf:HuggingFaceTB/SmolLM2-135M@main',
    'model: hf:HuggingFaceTB/SmolLM2-135M',
    words(
      'Such a name moves. The first run pins the commit in the lock file either way; without a name nobody believes that it follows the branch. sluice lock --update takes the newest commit.',
      '这样的名字会移动。无论写不写，第一次运行都会把提交固定在锁文件里；不写就不会有人以为它跟着分支走。sluice lock --update 取最新的提交。',
    ),
  ),
  W306: entry(
    words(
      'A stage is never cached although it would give the same result.',
      '阶段结果不变，却从不使用缓存。',
    ),
    'lora-train: { cache: off }',
    'lora-train: { with: { seed: 43 } }',
    words(
      'Every run pays for it again, and so does everything after it.',
      '每次运行都要重算，后面的阶段也跟着重算。',
    ),
  ),
  W307: entry(
    words('A literal looks like a secret.', '明文看起来像密钥。'),
    'token: hf_0123456789abcdef0123456789abcdef01',
    'token: env:HF_TOKEN',
    words(
      'Pipeline files are committed, and git keeps every version for ever.',
      '流水线文件会提交到 git，而 git 永远保留每一个版本。',
    ),
  ),
  E321: entry(
    words('A plugin of sluice.config.yaml cannot be used.', 'sluice.config.yaml 里的插件不能用。'),
    'plugins: [plugins/wrods]',
    'plugins: [plugins/words]',
    words(
      'Its stage kinds would be missing later, where nobody can tell why.',
      '否则之后会缺少它提供的阶段种类，而且看不出原因。',
    ),
  ),
  E322: entry(
    words('A function of a plugin threw.', '插件的函数抛出了异常。'),
    'outputs: (options) => ({ rows: options.kind.type })',
    "outputs: () => ({ rows: 'dataset' })",
    words(
      'What a stage makes and measures has to be known before anything runs.',
      '一个阶段产出什么、测量什么，必须在运行之前就知道。',
    ),
  ),
  E310: entry(
    words('The files of a source are not there.', '来源指向的文件不存在。'),
    'data: data/rowz.jsonl',
    'data: data/rows.jsonl',
    words('A run that starts without its data fails much later.', '没有数据就开始，运行会在很久以后才失败。'),
  ),
  E311: entry(
    words('A stage claims a resource that the project does not have.', '阶段要用项目里没有的资源。'),
    'lora-train: { resources: { licence: 1 } }',
    '# sluice.config.yaml\nresources: { licence: 2 }',
    words(
      'Without a number nobody could wait for his turn; above it the turn never comes.',
      '不知道总数就没法排队；要的比总数还多就永远轮不到。',
    ),
  ),
  E117: entry(
    words('A value names an axis that no matrix has.', '计算值里用了 matrix 里没有的轴。'),
    'lora-train: { matrix: { r: [4, 8] }, with: { r: =matrix.rank } }',
    'lora-train: { matrix: { r: [4, 8] }, with: { r: =matrix.r } }',
    words(
      'A stage knows the axes of its own matrix and of those whose results it reads.',
      '一个阶段只认识自己的 matrix 和它读取的上游结果带来的轴。',
    ),
  ),
  E118: entry(
    words('An exclude removes nothing, or everything.', 'exclude 一个组合都没去掉，或者全去掉了。'),
    'matrix: { r: [4, 8], exclude: [{ r: 16 }] }',
    'matrix: { r: [4, 8, 16], exclude: [{ r: 16 }] }',
    words(
      'A misspelt value would leave the trial in the sweep that it was meant to keep out.',
      '值写错了，本想排除的那次试验就还会照跑。',
    ),
  ),
  E133: entry(
    words('An axis is not a list of different values.', '轴不是由不同取值组成的列表。'),
    'matrix: { r: 8 }',
    'matrix: { r: [4, 8, 16] }',
    words(
      'Each value is a trial; one value is a setting, and the same value twice is the same trial.',
      '每个取值是一次试验；只有一个值就是普通设置，重复的值是同一次试验。',
    ),
  ),
  E134: entry(
    words('A matrix makes too many instances.', 'matrix 展开出的实例太多。'),
    'matrix: { seed: […], lr: […], r: […] }',
    'matrix: { lr: [1e-4, 2e-4], r: [8, 16] }',
    words('The product of the axes grows faster than one thinks.', '各轴相乘，数目比想象的涨得快。'),
  ),
  E135: entry(
    words('A point of include or exclude does not fit the axes.', 'include 或 exclude 里的组合和轴对不上。'),
    'include: [{ r: 32 }]',
    'include: [{ r: 32, lr: 1e-4 }]',
    words(
      'A point that says nothing of an axis could mean any of its values.',
      '少写一个轴，就不知道要取它的哪个值。',
    ),
  ),
  E136: entry(
    words(
      'Two matrices that reach one stage have an axis of the same name.',
      '汇到同一阶段的两个 matrix 有同名的轴。',
    ),
    'pretrain: { matrix: { lr: […] } } and lora-train: { matrix: { lr: […] } }',
    'pretrain: { matrix: { base_lr: […] } } and lora-train: { matrix: { lr: […] } }',
    words('matrix.lr would mean two things.', 'matrix.lr 就有了两个意思。'),
  ),
  E137: entry(
    words('A gate would have to judge several results at once.', '一个 gate 要同时裁定好几份结果。'),
    'lora-train (swept) -> eval -> gate',
    'lora-train (swept) -> eval -> pick -> final -> gate',
    words(
      'A gate lets one model through; which of the trials that is has to be said.',
      'gate 放行的是一个模型，得先说清是哪一次试验的。',
    ),
  ),
  E138: entry(
    words('A choice cannot be read.', '选优的写法看不懂。'),
    'pick: { uses: select, with: { by: perplexity } }',
    'pick: { uses: select, with: { by: best perplexity, tie: smallest r } }',
    words(
      'Best, smallest and at least are words with one meaning each, checked before the sweep runs.',
      'best、smallest、at_least 各有唯一的意思，在扫参开始前就检查。',
    ),
  ),
  E140: entry(
    words('A condition names something that is not known.', '条件里用了不认识的名字。'),
    "when: branch == 'main'",
    "when: run.branch == 'main'",
    words(
      'A condition is decided without asking anybody, so it may use only what a run knows.',
      '条件由运行自己判断，只能用运行知道的事。',
    ),
  ),
  E141: entry(
    words(
      'A key of running stages stands in a gate, a choice or an export.',
      'gate、select 或 export 上写了只有运行的阶段才有的键。',
    ),
    'gate: { retry: { max: 2 } }',
    'lora-train: { retry: { max: 2 } }',
    words(
      'A verdict that may be tried again until it passes is no verdict.',
      '可以反复重试到通过的裁定，不算裁定。',
    ),
  ),
  E142: entry(
    words('A stage is watched that reports nothing while it runs.', '给不上报实时数值的阶段写了 watch。'),
    'clean: { watch: [stop: train.loss > 20] }',
    'lora-train: { watch: [stop: train.loss > 20] }',
    words('Such a watch could never stop anything.', '这样的 watch 什么也停不了。'),
  ),
  E143: entry(
    words('A watch is not of the form stop: check.', 'watch 的写法不是 stop: 检查。'),
    'watch: [train.loss > 20]',
    'watch: [stop: train.loss > 20]',
    words('What happens when the check holds has to be readable.', '检查成立时会发生什么，要一眼看得出来。'),
  ),
  E144: entry(
    words('A number of things is not a whole number.', '个数不是整数。'),
    'retry: { max: -1 }',
    'retry: { max: 2 }',
    words('There is no half a try and no half a GPU.', '没有半次重试，也没有半块 GPU。'),
  ),
  E145: entry(
    words('A variable of the environment is not set.', '环境变量没有设置。'),
    "with: { seed: =env('SEED') }",
    'with: { seed: "=env(\'SEED\', 42)" }',
    words(
      'An empty text would be taken for a setting; unset and empty are different things.',
      '空文本会被当成设置；没设置和为空是两回事。',
    ),
  ),
  E146: entry(
    words('A notification does not say when or whom.', '通知没写什么时候发、发给谁。'),
    'notify: [{ webhook: env:HOOK }]',
    'notify: [{ on: [gate.failed], webhook: env:HOOK }]',
    words('A notification that never comes is noticed too late.', '发不出来的通知，等发现时已经晚了。'),
  ),
  E150: entry(
    words('An export cannot be what it says.', '这个导出做不到它所写的。'),
    'flow: lora-train -> eval -> gate -> export   export: { with: { format: merged } }',
    'flow: lora-train -> merge -> eval -> gate -> export   export: { with: { format: merged } }',
    words(
      'What leaves the cache is used by others; it has to be the thing that was judged, in a folder of its own.',
      '导出的东西会被别人使用；它必须就是评判过的那一个，并且独占一个文件夹。',
    ),
  ),
  E151: entry(
    words(
      'A stage names a worker that is not there or cannot do its work.',
      '阶段指定的 worker 不存在，或者做不了它的工作。',
    ),
    'lora-train: { worker: gpuu }',
    'lora-train: { worker: gpu }',
    words(
      'Found out here, it costs nothing; found out after the stages before it have run, it costs hours.',
      '现在发现不花钱；等前面的阶段都跑完才发现，就白费几个小时。',
    ),
  ),
  E152: entry(
    words('A worker does not say how it starts or what it can do.', 'worker 没写怎么启动、会做什么。'),
    'workers: { gpu: { run: python -m kernel_worker } }',
    'workers: { gpu: { run: python -m kernel_worker, capabilities: [lora-train, generate] } }',
    words(
      'Which stages it can take is checked without starting it, on machines that do not have it, too.',
      '哪些阶段能交给它，不用启动就能检查，在没有它的机器上也能检查。',
    ),
  ),
  E160: entry(
    words('Options that are fine one by one cannot work together.', '几个选项单独看都对，放在一起行不通。'),
    'split: { with: { train: 80%, test: 30% } }',
    'split: { with: { train: 70%, test: 30% } }',
    words(
      'The stage would refuse them, but only after all stages before it have run.',
      '阶段自己也会拒绝，但要等前面的阶段都跑完以后。',
    ),
  ),
  E161: entry(
    words('A stage reads a split that its data does not have.', '阶段要读的划分在数据里不存在。'),
    'eval: { with: { split: tset } }',
    'eval: { with: { split: test } }',
    words(
      'Which splits there are is written in the file, so nobody has to train first to find out.',
      '有哪些划分，文件里已经写明，不必训练完才发现。',
    ),
  ),
  E204: entry(
    words(
      'A significance test is asked of something that has no single rows.',
      '对没有逐条数值的东西要求显著性检验。',
    ),
    '- total.duration <= 1h with p < 0.05',
    '- bleu > baseline.bleu with p < 0.05',
    words(
      'The test draws the rows of the test set again; one number per run cannot be drawn again.',
      '检验靠反复抽取测试集的各条；每次运行只有一个数，没法重抽。',
    ),
  ),
  W205: entry(
    words('The gate judges on the rows that chose the winner.', 'gate 用来裁定的正是选出优胜者的那些数据。'),
    'score: { with: { split: test } } and final: { with: { split: test } }',
    'score: { with: { split: validation } } and final: { with: { split: test } }',
    words(
      'The best of many trials is partly the luckiest; on the same rows the luck is counted as skill.',
      '多次试验里最好的那个有运气成分；在同一批数据上，运气会被当成本事。',
    ),
  ),
  E212: entry(
    words(
      'The chance of error of a test is not between 0 and 0.5.',
      '显著性检验的错误率不在 0 和 0.5 之间。',
    ),
    '- bleu > baseline.bleu with p < 5',
    '- bleu > baseline.bleu with p < 0.05',
    words('A test that is wrong every other time decides nothing.', '一半时候都会错的检验，什么也说明不了。'),
  ),
  E224: entry(
    words(
      'A slice is not measured, or stands where one number belongs.',
      '切片没有测量，或写在了只能放一个数的地方。',
    ),
    'gate: { checks: [worst(bleu) >= 0.2] }',
    'eval: { with: { slices: [section] } }   gate: { checks: [worst(bleu by section) >= 0.2] }',
    words(
      'eval keeps metrics per slice only for the fields in its option slices.',
      'eval 只为 slices 选项里的字段保留分片的指标。',
    ),
  ),
  E225: entry(
    words(
      'size is asked of something that the judged stage does not read.',
      '对被裁定阶段没有读取的东西求 size。',
    ),
    '- size(weights) <= 20MB',
    '- size(adapter) <= 20MB',
    words('What is not read has no size to judge.', '没有读取的东西，没有大小可裁定。'),
  ),
  E230: entry(
    words('A gate does not say what its own test expects.', 'gate 的结论与它自己的测试不符。'),
    'given: { bleu: 0.2 }, expect: pass      # bleu >= 0.30',
    'given: { bleu: 0.2 }, expect: fail',
    words(
      'A gate that has never been seen to block is decoration; its tests show, without a model, that it does.',
      '从没拦住过任何东西的 gate 只是摆设；gate 测试不用模型就能证明它拦得住。',
    ),
  ),
}
