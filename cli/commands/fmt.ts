/** `sluice fmt`: pipeline files in the one layout; with `--fix`, slips that can only mean one thing are put right. */
import { chmodSync, realpathSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Diagnostic } from '../../dsl/diagnostic.ts'
import { fixText } from '../../dsl/fix.ts'
import { formatText } from '../../dsl/format/format.ts'
import { readYaml } from '../../dsl/read-yaml.ts'
import { inLanguage, type Words } from '../../dsl/words.ts'
import { writeAtomic } from '../../engine/store/atomic.ts'
import type { Environment } from '../../engine/environment.ts'
import { languageOf } from '../language.ts'
import { Usage, type Command } from '../options.ts'
import {
  findProject,
  pipelineFiles,
  readBuild,
  readPipeline,
  rootAbove,
  stringFlag,
  type ReadPipeline,
} from '../project.ts'
import { sayDiagnostics } from '../say.ts'

/** Exit code of `--check` when a file would change, as for everything that is stale. */
const STALE = 10

export async function fmtCommand(command: Command, buildDir: string): Promise<number> {
  const root = rootAbove(process.cwd())
  const named = command.args.length > 0 ? command.args : [stringFlag(command, 'file') ?? []].flat()
  const files = named.length > 0 ? named : pipelineFiles(root).map((file) => resolve(root, file))
  if (files.length === 0)
    throw new Usage('there is no pipelines/*.pipeline.yaml here\n  help: sluice init', true)
  const check = command.flags['check'] === true
  const { version } = readBuild(buildDir)
  const codes: number[] = []
  for (const file of files) {
    const project = await findProject({ ...command, flags: { ...command.flags, file } }, buildDir)
    const read = readPipeline(project)
    const done = formatted(read, command.flags['fix'] === true ? project.environment.kinds : null)
    // What YAML cannot read is left alone, and its problem is all there is to say.
    if (done.type === 'unreadable') {
      const { diagnostics } = done
      await sayDiagnostics({ diagnostics, root: project.root, version }, command, 'text')
      codes.push(2)
    } else if (done.text === read.bytes) continue
    else if (check) {
      say({ en: `${project.file} would change`, zh: `${project.file} 需要改动` })
      codes.push(STALE)
    } else {
      rewrite(join(project.root, project.file), done.text)
      for (const each of done.fixed) say(fixedWords(project.file, each))
      say({ en: `${project.file} written`, zh: `${project.file} 已改写` })
    }
  }
  return codes.includes(2) ? 2 : (codes[0] ?? 0)
}

type Formatted =
  | { readonly type: 'readable'; readonly text: string; readonly fixed: readonly Diagnostic[] }
  | { readonly type: 'unreadable'; readonly diagnostics: readonly Diagnostic[] }

/** `kinds` are for putting slips right; null leaves them alone. */
function formatted(
  { source, problem }: Pick<ReadPipeline, 'source' | 'problem'>,
  kinds: Environment['kinds'] | null,
): Formatted {
  if (problem !== null) {
    // Text in another encoding that is known for certain is written as UTF-8.
    if (kinds === null || !problem.fixes.some(({ safe }) => safe))
      return { type: 'unreadable', diagnostics: [problem] }
    const done = formatted({ source, problem: null }, kinds)
    return done.type === 'readable' ? { ...done, fixed: [problem, ...done.fixed] } : done
  }
  const { text, fixed } = kinds === null ? { text: source.text, fixed: [] } : fixText(source, kinds)
  if (readYaml({ path: source.path, text }, []) !== null)
    return { type: 'readable', text: formatText(text), fixed }
  const diagnostics: Diagnostic[] = []
  readYaml(source, diagnostics)
  return { type: 'unreadable', diagnostics }
}

function fixedWords(file: string, { code, message, fixes }: Diagnostic): Words {
  const title = fixes.find(({ safe }) => safe)?.title
  return {
    en: `${file}: ${code} ${message.en} -> ${title?.en ?? ''}`,
    zh: `${file}：${code} ${message.zh} -> ${title?.zh ?? ''}`,
  }
}

/** The file that a link leads to is replaced, not the link, and whoever may read it still may. */
function rewrite(path: string, text: string): void {
  const real = realpathSync(path)
  const { mode } = statSync(real)
  writeAtomic(real, text)
  chmodSync(real, mode)
}

function say(words: Words): void {
  process.stdout.write(`${inLanguage(words, languageOf(process.env))}\n`)
}
