/** Addresses of sources: which are not fetched, and which can come to mean something else. */
import type { Diagnostic } from '../diagnostic.ts'
import type { HubAddress } from '../hub-address.ts'
import type { Span } from '../source.ts'
import type { Words } from '../words.ts'
import { problem, replace, words } from './problem.ts'

/** An address in a form of somebody else's, and in ours. */
export function otherAddress(span: Span, written: string, ours: string): Diagnostic {
  return problem(
    'E123',
    words(`'${written}' is no address of a model`, `'${written}' 不是模型的地址`),
    span,
    words(`write ${ours}`, `写成 ${ours}`),
    {
      notes: [
        words(
          'a model of a hub is written hf:ORG/NAME, in one word; sluice fetches it before a run',
          '模型库里的模型写成 hf:组织/名字，中间没有空格；sluice 会在运行前下载',
        ),
      ],
      fixes: [replace(span, ours, true)],
    },
  )
}

/** `model` if it stands where a model from a hub could stand. */
export function addressAsPath(span: Span, written: string, place: 'model' | 'elsewhere'): Diagnostic {
  const isHub = written.startsWith('hf:')
  const data =
    /^(?:hf:(?:\/\/)?(?:datasets\/)?|https?:\/\/(?:huggingface\.co|hf-mirror\.com)\/datasets\/)([\w.-]+\/([\w.-]+))(?:@.*|\/tree\/.*|\/)?$/i.exec(
      written,
    )
  const file = /^https?:.*\/([\w.-]+)$/.exec(written)?.[1]
  const write = (path: string): Words => words(`and write here: ${path}`, `这里写：${path}`)
  const help: readonly (Words | string)[] =
    isHub && place === 'model'
      ? [words('hf:ORG/NAME or hf:ORG/NAME@REVISION', 'hf:组织/名字 或 hf:组织/名字@版本')]
      : data !== null
        ? [`hf download --repo-type dataset ${data[1] ?? ''} --local-dir data`, write('data/*.jsonl')]
        : file !== undefined
          ? [`curl -L -o data/${file} ${written}`, write(`data/${file}`)]
          : [words('download it once and write the path of its files', '先下载一次，再写文件的路径')]
  return problem(
    'E123',
    isHub && place === 'model'
      ? words('this is no address of a model on a hub', '这不是模型库里模型的地址')
      : words('this source is files of the project', '这个来源是项目里的文件'),
    span,
    isHub && place === 'model'
      ? words('an organisation and a name are wanted', '要写组织和名字')
      : words('addresses are not fetched', '不会去下载这个地址'),
    {
      notes:
        isHub && place === 'model'
          ? []
          : [
              words(
                'only a model is fetched from a hub (hf:ORG/NAME); everything else has to be there before a run',
                '只有模型会从模型库下载（hf:组织/名字）；其他东西运行之前就要在本地',
              ),
            ],
      help,
    },
  )
}

/** A branch or a tag. The lock pins a commit all the same, so this is about what a reader of the file believes. */
export function movingRevision(span: Span, { repository }: HubAddress, revision: string): Diagnostic {
  return problem(
    'W305',
    words('this model can change under you', '这个模型可能会在你不知道时变化'),
    span,
    words('a branch or a tag moves', '分支名和标签会移动'),
    {
      notes: [
        words(
          `the lock file pins the commit that '${revision}' was when it was first fetched; only sluice lock --update looks again`,
          `锁文件固定第一次下载时 '${revision}' 所指的提交；只有 sluice lock --update 会重新去看`,
        ),
      ],
      help:
        revision === 'main'
          ? [words('drop @main: the lock file pins the commit', '去掉 @main：锁文件会固定提交')]
          : [
              words(
                `write the commit that is meant, as the lock file names it: hf:${repository}@…`,
                `写明要用的提交，锁文件里有：hf:${repository}@…`,
              ),
            ],
      fixes: revision === 'main' ? [replace(span, `hf:${repository}`, true)] : [],
    },
  )
}
