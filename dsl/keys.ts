/** Every key of the file language: where it may stand, what it means in a line, and the form of its value. */
import { KERNEL_OPS } from './kernel-ops.ts'
import { NOTIFY_EVENTS } from './pipeline.ts'
import { ARTIFACT_TYPES, type JsonObject } from './stage-signature.ts'
import type { Words } from './words.ts'

export interface Key {
  readonly doc: Words
  /**
   * JSON Schema of what may be written, in the keywords that draft-07 and 2020-12 share. `#/definitions/x` is a form of
   * `FORMS` or the keys of a place.
   */
  readonly schema: JsonObject
  /** Only a gate has it, or only a stage with work to do; every stage if absent. */
  readonly only?: 'gate' | 'work'
  readonly required?: true
}

export type Keys = Readonly<Record<string, Key>>

const key = (en: string, zh: string, schema: JsonObject, more: Omit<Key, 'doc' | 'schema'> = {}): Key => ({
  doc: { en, zh },
  schema,
  ...more,
})
const is = (name: string): JsonObject => ({ $ref: `#/definitions/${name}` })
const oneOrMore = (item: JsonObject): JsonObject => ({ anyOf: [item, { type: 'array', items: item }] })

const field: JsonObject = { type: 'string', minLength: 1 }

const settings: Keys = {
  cache: key(
    'Whether an earlier result is taken: auto (default), off, refresh, or { also: [...] } to add values to the key.',
    '要不要用以前的结果：auto（默认）、off、refresh，或用 { also: [...] } 往缓存键里加东西。',
    { anyOf: [{ enum: ['auto', 'off', 'refresh'] }, is('cache')], default: 'auto' },
    { only: 'work' },
  ),
  timeout: key(
    'Longest time of one attempt, such as 30m or 6h.',
    '一次尝试最多跑多久，例如 30m、6h。',
    is('duration'),
    { only: 'work' },
  ),
  retry: key(
    'How often to try again, and after which failures; not at all if absent.',
    '失败后重试几次、哪些失败才重试；不写就不重试。',
    is('retry'),
    { only: 'work' },
  ),
  resources: key(
    'What an attempt needs of the machine while it runs.',
    '运行时要占用的机器资源。',
    is('resources'),
    { only: 'work' },
  ),
  worker: key(
    'Name of the worker that does the heavy steps; none is the one that comes with Sluice.',
    '繁重的步骤交给哪个 worker；none 是 sluice 自带的。',
    is('name'),
    { only: 'work' },
  ),
  mutex: key(
    'Names of locks: stages that name the same one never run at once.',
    '锁的名字：写了同一个名字的阶段不会同时跑。',
    oneOrMore(is('name')),
    { only: 'work' },
  ),
}

/** Place -> key -> what it is. Completion, hovers and the schema for editors are all made of this. */
export const KEYS = {
  pipeline: {
    version: key('Version of the file language.', '文件语言的版本。', { const: 1 }, { required: true }),
    name: key('Name of the pipeline; equals the file name.', '流水线的名字，要和文件名一致。', is('name'), {
      required: true,
    }),
    description: key('What the pipeline is for, shown in reports.', '流水线的用途，会显示在报告里。', {
      type: 'string',
    }),
    params: key(
      'Values that -p NAME=VALUE can override; read with =params.NAME.',
      '可以用 -p 名字=值 覆盖的参数，用 =params.名字 读取。',
      {
        type: 'object',
        propertyNames: is('parameter-name'),
        additionalProperties: { if: { type: 'object' }, then: is('param'), else: {} },
      },
    ),
    model: key(
      'The base model: short for a source called model.',
      '基座模型：等于声明一个名为 model 的来源。',
      is('from'),
    ),
    data: key(
      'The rows: short for a source called data; one path or glob, or one per split.',
      '数据：等于声明一个名为 data 的来源；一个路径或通配符，或者每个划分一个。',
      is('from'),
    ),
    sources: key(
      'Everything that comes from outside, each with a type and a path.',
      '所有外部来源，每个都有类型和路径。',
      { type: 'object', propertyNames: is('name'), additionalProperties: is('source') },
    ),
    flow: key(
      'The graph in a line: a -> b -> [c, d]; x -> b. Ports are wired by type along the arrows.',
      '一行画出流程图：a -> b -> [c, d]; x -> b。沿着箭头按类型自动连线。',
      { type: 'string', minLength: 1 },
    ),
    stages: key(
      'Settings of the stages; one that needs none may stand in flow alone.',
      '各阶段的设置；不需要设置的阶段只写在 flow 里就行。',
      is('stages'),
    ),
    defaults: key(
      'Settings of every stage that does not say otherwise.',
      '所有阶段的默认设置，阶段里另写的优先。',
      is('defaults'),
    ),
    workers: key(
      'Processes of others that do heavy steps, by name: how they start and what they can do.',
      '做繁重步骤的外部进程：名字、怎么启动、会做什么。',
      { type: 'object', propertyNames: is('name'), additionalProperties: is('worker') },
    ),
    notify: key('Who is told about which event.', '出了什么事通知谁。', {
      type: 'array',
      items: is('notification'),
    }),
  },
  stage: {
    uses: key(
      "The stage kind, as name or name@major; the stage's own name if absent.",
      '阶段的种类，写 名字 或 名字@主版本；不写就是阶段自己的名字。',
      { type: 'string' },
    ),
    inputs: key(
      'Port by port where to read from: stage.port, stage, sources.x, or none for an optional port.',
      '每个输入口从哪里读：stage.port、stage、sources.x；可选的口可以写 none。',
      { type: 'object' },
    ),
    with: key("The stage kind's own options.", '这种阶段自己的选项。', { type: 'object' }),
    needs: key(
      'Stages that must have finished first although no data flows.',
      '没有数据往来、但必须先跑完的阶段。',
      oneOrMore(is('stage-name')),
    ),
    when: key(
      "Condition for running it, such as run.branch == 'main' or gate.failed.",
      "满足什么条件才运行，例如 run.branch == 'main'、gate.failed。",
      is('condition'),
    ),
    matrix: key(
      'Axes of a sweep: the stage runs once for every point, read with =matrix.AXIS.',
      '参数扫描的坐标轴：每个组合跑一次，用 =matrix.轴名 读取。',
      is('matrix'),
      { only: 'work' },
    ),
    watch: key(
      'Checks on live values that stop the stage early.',
      '盯着实时数值，没救了就提前停下。',
      { type: 'array', items: is('watch') },
      { only: 'work' },
    ),
    ...settings,
    metrics: key('The stage whose metrics are judged.', '被评判的是哪个阶段的指标。', is('reference'), {
      only: 'gate',
    }),
    baseline: key(
      'The yardstick: a stage that measures, or untuned for the same eval without the adapter.',
      '对照：一个测指标的阶段；写 untuned 就是不带适配器的同一次评测。',
      is('stage-name'),
      { only: 'gate' },
    ),
    checks: key(
      'What must hold for the result to pass, one sentence each.',
      '结果要满足的条件，每条一句话。',
      { type: 'array', minItems: 1, items: is('check-item') },
      { only: 'gate' },
    ),
    budget: key(
      'Checks on what the run cost, such as total.gpu_time <= 3h.',
      '对开销的检查，例如 total.gpu_time <= 3h。',
      { type: 'array', items: is('check-item') },
      { only: 'gate' },
    ),
  },
  defaults: settings,
  source: {
    type: key('What it is.', '类型。', { enum: [...ARTIFACT_TYPES] }, { required: true }),
    from: key(
      "Path or glob from the project's root, or one per split.",
      '相对项目根目录的路径或通配符，或者每个划分一个。',
      is('from'),
      { required: true },
    ),
    schema: key(
      'Which fields of a row are the prompt and the response, where they have other names.',
      '每行里哪个字段是问题、哪个是回答（字段名不叫 prompt、response 时写）。',
      is('schema'),
    ),
    optional: key('Whether the pipeline can do without it.', '没有它行不行。', {
      type: 'boolean',
      default: false,
    }),
  },
  schema: {
    input: key('The field that holds the prompt.', '放问题的字段。', field, { required: true }),
    output: key('The field that holds the response.', '放回答的字段。', field, { required: true }),
    id: key('The field that tells rows apart.', '区分各行的字段。', field),
  },
  worker: {
    run: key(
      'The program and its words, started in the project folder without a shell.',
      '程序名和参数，在项目目录里直接启动，不经过 shell。',
      field,
      { required: true },
    ),
    capabilities: key(
      'The operations that it can do.',
      '它会做的操作。',
      oneOrMore({ enum: [...KERNEL_OPS] }),
      {
        required: true,
      },
    ),
    version: key(
      'Part of the key: raise it when results change and no file below the project did.',
      '缓存键的一部分：结果会变、而项目里的文件没变时，改这个值。',
      { type: ['string', 'number'] },
    ),
  },
  param: {
    default: key('Its value unless -p says otherwise.', '默认值，可以用 -p 覆盖。', {}, { required: true }),
    type: key('Type of the value; that of the default if absent.', '值的类型；不写就看默认值。', {
      enum: ['int', 'number', 'text', 'bool'],
    }),
    range: key('Smallest and largest value, such as 1e-6..1e-2.', '最小值和最大值，例如 1e-6..1e-2。', {
      type: 'string',
      pattern: '.\\.\\..',
    }),
    enum: key('The values that are allowed.', '允许的取值。', { type: 'array', minItems: 1 }),
    description: key('What it is for.', '说明。', { type: 'string' }),
  },
  matrix: {
    include: key('Points to add.', '额外加上的组合。', { type: 'array', items: is('point') }),
    exclude: key('Points, or parts of points, to leave out.', '要去掉的组合（可以只写一部分轴）。', {
      type: 'array',
      items: is('point'),
    }),
    max_parallel: key('How many points may run at once.', '最多同时跑几个组合。', {
      type: 'integer',
      minimum: 1,
    }),
    keep_going: key(
      'Whether the other points go on after one failed.',
      '一个组合失败后，其余的要不要接着跑。',
      { type: 'boolean', default: false },
    ),
  },
  retry: {
    max: key('Tries after the first.', '第一次之后再试几次。', {
      type: 'integer',
      minimum: 0,
      maximum: 100,
      default: 1,
    }),
    on: key(
      'After which failures; worker-lost and timeout if absent.',
      '哪些失败才重试；不写就是 worker-lost 和 timeout。',
      oneOrMore({ enum: ['worker-lost', 'timeout', 'oom', 'error'] }),
    ),
    backoff: key(
      'Wait before the second try, doubled before each further one.',
      '第二次之前等多久，之后每次加倍。',
      is('duration'),
    ),
  },
  resources: {
    gpu: key('Number of GPUs.', 'GPU 个数。', { type: 'integer', minimum: 0 }),
    vram: key('GPU memory, such as 16GB.', '显存，例如 16GB。', is('bytes')),
    cpu: key('Number of CPU cores.', 'CPU 核数。', { type: 'integer', minimum: 1 }),
    memory: key('Main memory, such as 32GB.', '内存，例如 32GB。', is('bytes')),
    disk: key('Free disk space, such as 100GB.', '磁盘空间，例如 100GB。', is('bytes')),
  },
  cache: {
    also: key(
      'Values to add to the key: another value, another result.',
      '加进缓存键的值：值变了，结果就重算。',
      { type: 'array' },
    ),
  },
  notification: {
    on: key('Events to tell of.', '哪些事件。', oneOrMore({ enum: [...NOTIFY_EVENTS] }), { required: true }),
    webhook: key(
      'Where to POST, as env:NAME: the address is a secret.',
      'POST 到哪里，写 env:名字：地址本身就是密钥。',
      { type: 'string', pattern: '^(env:[A-Za-z_][A-Za-z_0-9]*$|https?:)' },
    ),
    run: key('Command line to run.', '要执行的命令行。', { type: 'string', minLength: 1 }),
  },
  check: {
    require: key('A check that must hold.', '必须满足的检查。', is('check-text')),
    warn: key('A check that is shown and never blocks.', '只提醒、不拦的检查。', is('check-text')),
    name: key('Name of the check in reports.', '检查在报告里的名字。', { type: 'string' }),
    why: key('Why the check is there.', '为什么有这条检查。', { type: 'string' }),
  },
  watch: {
    stop: key(
      'The stage is stopped as soon as this holds, such as train.loss > 20.',
      '一旦成立就停下这个阶段，例如 train.loss > 20。',
      is('check-text'),
      { required: true },
    ),
  },
} as const satisfies Readonly<Record<string, Keys>>

export type Place = keyof typeof KEYS

/** The keys that may stand at a place. */
export function keysAt(place: Place): Keys {
  return KEYS[place]
}

/** Their names, in the order in which messages list them; of a stage perhaps only those of gates or of work. */
export function keyNames(place: Place, only?: Key['only']): readonly string[] {
  return Object.entries(keysAt(place)).flatMap(([name, entry]) =>
    only === undefined || entry.only === only ? [name] : [],
  )
}
