/** `sluice validate`: every problem of the files, nothing else. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Diagnostic } from '../../dsl/diagnostic.ts'
import type { Pipeline } from '../../dsl/pipeline.ts'
import { positionOf } from '../../dsl/source.ts'
import { inLanguage, type Language, type Words } from '../../dsl/words.ts'
import { languageOf } from '../language.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import {
  compileFile,
  findProject,
  gateTestsPath,
  paramsOf,
  pipelineFiles,
  readBuild,
  rootAbove,
  stringFlag,
  type Compiled,
  type Project,
} from '../project.ts'
import { painter, useColor, type Paint } from '../reports/style.ts'
import { formatOf, sayDiagnostics } from '../say.ts'

export async function validateCommand(command: Command, buildDir: string): Promise<number> {
  const root = rootAbove(process.cwd())
  const named = command.args.length > 0 ? command.args : [stringFlag(command, 'file') ?? []].flat()
  const files = named.length > 0 ? named : pipelineFiles(root).map((file) => resolve(root, file))
  if (files.length === 0)
    throw new Usage('there is no pipelines/*.pipeline.yaml here\n  help: sluice init', true)
  const format = command.flags['json'] === true ? 'json' : formatOf(command)
  const paint = painter(useColor(process.stdout, command))
  const build = readBuild(buildDir)
  const { version } = build
  const all: Diagnostic[] = []
  for (const file of files) {
    const project = await findProject({ ...command, flags: { ...command.flags, file } }, buildDir)
    const inFile = await compileFile(project, build, { params: paramsOf(command) })
    const inTests = inFile.pipeline === null ? [] : await problemsOfTests(project, inFile.pipeline)
    const weak = inFile.pipeline === null ? [] : await weakQuestions(project, inFile.pipeline)
    const diagnostics = [...inFile.diagnostics, ...weak, ...inTests]
    const compiled = { ...inFile, diagnostics }
    all.push(...diagnostics)
    if (format !== 'text') continue
    process.stdout.write(`${summary(project.file, compiled, languageOf(process.env), paint)}\n`)
    if (diagnostics.length > 0) process.stderr.write('\n')
    await sayDiagnostics({ diagnostics, root: project.root, version }, command, format)
  }
  if (format !== 'text') await sayDiagnostics({ diagnostics: all, root, version }, command, format)
  const fails = all.some((d) => d.severity === 'error' || command.flags['strict'] === true)
  return fails ? 2 : 0
}

async function problemsOfTests({ root, file }: Project, pipeline: Pipeline): Promise<readonly Diagnostic[]> {
  if (!existsSync(join(root, gateTestsPath(file)))) return []
  return (await import('./gate-tests.ts')).gateTestProblems(root, file, pipeline)
}

/** What the rows of the last run cannot answer; nothing is loaded where nobody asks or nothing has run. */
async function weakQuestions(project: Project, pipeline: Pipeline): Promise<readonly Diagnostic[]> {
  const asks = pipeline.stages.some(({ gate }) =>
    gate?.checks.some(({ expression }) => expression.type === 'significance'),
  )
  if (!asks || !existsSync(join(project.environment.stateDir, 'runs'))) return []
  return (await import('../power.ts')).weakQuestionsIn(project, pipeline)
}

function summary(
  file: string,
  { pipeline, diagnostics }: Compiled,
  language: Language,
  paint: Paint,
): string {
  const say = (words: Words): string => inLanguage(words, language)
  const of = (severity: string): number => diagnostics.filter((each) => each.severity === severity).length
  const found = [counted(of('error'), 'error', '个错误'), counted(of('warning'), 'warning', '个警告')]
  const comma = say({ en: ', ', zh: '，' })
  const list = (parts: readonly (Words | null)[]): string =>
    parts.flatMap((each) => (each === null ? [] : [say(each)])).join(comma)
  const [first] = diagnostics
  const place = first === undefined ? '' : `   ${where(first)}`
  if (pipeline === null) return `${paint('red', '✗')} ${file}   ${list(found)}${place}`
  const edges = pipeline.stages.reduce((sum, stage) => sum + Object.keys(stage.inputs).length, 0)
  const checks = pipeline.stages.reduce((sum, stage) => sum + (stage.gate?.checks.length ?? 0), 0)
  const size = [
    counted(pipeline.stages.length, 'stage', '个阶段'),
    counted(edges, 'edge', '条边'),
    counted(checks, 'check', '个检查项'),
  ]
  return `${paint('green', '✓')} ${pipeline.name}   ${list([...size, ...found])}${place}`
}

function counted(count: number, en: string, zh: string): Words | null {
  if (count === 0) return null
  return { en: `${String(count)} ${en}${count === 1 ? '' : 's'}`, zh: `${String(count)} ${zh}` }
}

function where(diagnostic: Diagnostic): string {
  const { source, start } = diagnostic.primary.span
  const { line, column } = positionOf(source, start)
  return `${source.path}:${String(line)}:${String(column)}`
}
