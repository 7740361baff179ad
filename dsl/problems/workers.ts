/** What is wrong with `workers:` and with a stage's `worker:`. */
import type { Diagnostic } from '../diagnostic.ts'
import type { Span } from '../source.ts'
import { listed, meant, problem, rename, words } from './problem.ts'

export function unknownWorker(
  span: Span,
  name: string,
  near: string | null,
  all: readonly string[],
): Diagnostic {
  return problem(
    'E151',
    words(`no worker is called '${name}'`, `没有叫 '${name}' 的 worker`),
    span,
    meant(near, words('unknown worker', '未知的 worker')),
    {
      help: [
        listed(words('workers of this file', '本文件的 worker'), all),
        words('none is the worker that comes with sluice', 'none 是 sluice 自带的 worker'),
      ],
      fixes: rename(span, near, false),
    },
  )
}

export function cannotDo(
  span: Span,
  worker: string,
  stage: string,
  lacking: readonly string[],
  able: readonly string[],
): Diagnostic {
  return problem(
    'E151',
    words(`the worker '${worker}' cannot do '${stage}'`, `worker '${worker}' 做不了 '${stage}'`),
    span,
    words(`'${stage}' needs ${lacking.join(', ')}`, `'${stage}' 需要 ${lacking.join('、')}`),
    {
      notes: [listed(words(`capabilities of ${worker}`, `${worker} 的 capabilities`), able)],
      help: [
        words(
          `add it, if the worker has it:  workers.${worker}.capabilities`,
          `如果它确实会做，就加上：  workers.${worker}.capabilities`,
        ),
      ],
    },
  )
}

export function nothingHeavy(span: Span, stage: string): Diagnostic {
  return problem(
    'E151',
    words(`'${stage}' has no step that another worker could do`, `'${stage}' 没有可以交给别的 worker 的步骤`),
    span,
    words(
      'its steps belong to text, shell or a plugin, which have workers of their own',
      '它的步骤属于文本、shell 或插件，都有自己的 worker',
    ),
    { help: [words('leave it out', '删掉这一行')] },
  )
}

export function workerLacks(span: Span, name: string, key: 'run' | 'capabilities'): Diagnostic {
  return problem(
    'E152',
    words(`the worker '${name}' has no '${key}'`, `worker '${name}' 没写 '${key}'`),
    span,
    key === 'run'
      ? words('how it is started', '怎么启动它')
      : words('which operations it can do', '它会做哪些操作'),
    { help: [`${name}: { run: python -m kernel_worker, capabilities: [lora-train, generate] }`] },
  )
}

export function oddCommand(span: Span): Diagnostic {
  return problem(
    'E152',
    words('this is not a command that can be started', '这不是可以直接启动的命令'),
    span,
    words('a program and its words; no shell reads it', '写程序名和参数；不经过 shell'),
    {
      help: [
        'run: python -m kernel_worker --device cuda',
        words('put more into a script, and start that', '更复杂的写进脚本，再启动脚本'),
      ],
    },
  )
}

/** A worker that is reached over the network. */
export function notOverTheNetwork(span: Span, key: string): Diagnostic {
  return problem(
    'E130',
    words(`'${key}' is not supported yet`, `暂不支持 '${key}'`),
    span,
    words('a worker over the network is planned', '通过网络连接的 worker 已在计划中'),
    {
      notes: [
        words(
          'run starts a process here; it may itself talk to a machine that sees the same files, as ssh does',
          'run 在本机启动进程；这个进程自己可以连到能看到同样文件的机器，例如用 ssh',
        ),
      ],
      help: ['run: ssh gpu python -m kernel_worker'],
    },
  )
}
