/** What is wrong with a plugin that `sluice.config.yaml` lists. */
import type { Diagnostic } from '../diagnostic.ts'
import type { Span } from '../source.ts'
import type { Words } from '../words.ts'
import { problem, words } from './problem.ts'

/** Why a plugin cannot be used, and the fix. */
export interface PluginFault {
  readonly what: Words
  readonly help: Words | string
}

export function pluginUnusable(span: Span, plugin: string, { what, help }: PluginFault): Diagnostic {
  const message = words(`the plugin '${plugin}' cannot be used`, `插件 '${plugin}' 不能用`)
  return problem('E321', message, span, what, { help: [help] })
}

const fault = (en: string, zh: string, help: Words | string): PluginFault => ({ what: words(en, zh), help })

export function pluginMissing(plugin: string, isPath: boolean): PluginFault {
  return isPath
    ? fault(
        'there is no such file or folder',
        '没有这个文件或文件夹',
        words("paths begin at the project's root", '路径从项目根目录算起'),
      )
    : fault(
        'there is neither such a path nor such a package',
        '既没有这个路径，也没有这个包',
        `npm install ${plugin}`,
      )
}

export function noEntry(): PluginFault {
  return fault(
    'the folder has no module to load',
    '文件夹里没有可加载的模块',
    words(
      'name it plugin.mjs, or say `main` in a package.json',
      '把它命名为 plugin.mjs，或者在 package.json 里写 `main`',
    ),
  )
}

export function loadingThrew(message: string): PluginFault {
  return fault(
    `it fails while it is loaded: ${message}`,
    `加载时出错：${message}`,
    words('try: node FILE', '可以先试试：node 文件名'),
  )
}

export function changedSince(): PluginFault {
  return fault(
    'it changed after this process had loaded it',
    '这个进程加载它以后，它又改了',
    words('start sluice again', '重新启动 sluice'),
  )
}

export function twoOfAName(name: string, other: string): PluginFault {
  return fault(
    `its stage kind '${name}' is there already: ${other}`,
    `它的阶段种类 '${name}' 已经有了：${other}`,
    words('give it another name', '换一个名字'),
  )
}

export function twoOfAWorker(name: string): PluginFault {
  return fault(
    `another plugin or worker is called '${name}', too`,
    `另有一个插件或 worker 也叫 '${name}'`,
    words('rename its file, folder or package', '给文件、文件夹或包换个名字'),
  )
}

export function noFolderOfItsOwn(): PluginFault {
  return fault(
    "it lies in the project's root",
    '它放在项目根目录里',
    words(
      'put it into a folder of its own: all files beside it belong to its version',
      '给它一个单独的文件夹：同一文件夹里的所有文件都算作它的版本',
    ),
  )
}

export function tooManyFiles(most: number): PluginFault {
  return fault(
    `its folder holds more than ${most} files`,
    `它的文件夹里有 ${most} 个以上的文件`,
    words(
      'put it into a folder of its own: all files beside it belong to its version',
      '给它一个单独的文件夹：同一文件夹里的所有文件都算作它的版本',
    ),
  )
}

/** `field` is a path such as `stageKinds[0].version`. */
export function badExport(file: string, field: string, wanted: Words): PluginFault {
  return fault(
    `${file}: ${field} should be ${wanted.en}`,
    `${file}：${field} 应为${wanted.zh}`,
    words('docs/plugins.md has the whole shape', '完整格式见 docs/plugins.md'),
  )
}
