/** `sluice validate`: every problem of the files, nothing else. */
import { resolve } from 'node:path'
import { positionOf } from '../../dsl/source.ts'
import type { Diagnostic } from '../../dsl/diagnostic.ts'
import { inLanguage, type Language, type Words } from '../../dsl/words.ts'
import { languageOf } from '../language.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { compileFile, findProject, pipelineFiles, readBuild, rootAbove, stringFlag } from '../project.ts'
import { renderDiagnostics } from '../reports/diagnostics.ts'
import { painter, useColor } from '../reports/style.ts'

export async function validateCommand(command: Command, buildDir: string): Promise<number> {
  const root = rootAbove(resolve(stringFlag(command, 'directory') ?? '.'))
  const named = command.args.length > 0 ? command.args : [stringFlag(command, 'file') ?? []].flat()
  const files = named.length > 0 ? named : pipelineFiles(root).map((file) => resolve(root, file))
  if (files.length === 0)
    throw new Usage('there is no pipelines/*.pipeline.yaml here\n  help: sluice init', true)
  const paint = painter(useColor(process.stdout, command))
  const language = languageOf(process.env)
  const all: Diagnostic[] = []
  for (const file of files) {
    const project = findProject({ ...command, flags: { ...command.flags, file } }, buildDir)
    const { pipeline, diagnostics } = await compileFile(project, readBuild(buildDir), { params: {} })
    all.push(...diagnostics)
    if (command.flags['json'] === true) continue
    const count = (severity: string) => diagnostics.filter((d) => d.severity === severity).length
    const found = [plural(count('error'), 'error'), plural(count('warning'), 'warning')].filter(
      (text) => text !== '',
    )
    const [first] = diagnostics
    const place = first === undefined ? '' : `   ${where(first)}`
    if (pipeline !== null) {
      const edges = pipeline.stages.reduce((sum, stage) => sum + Object.keys(stage.inputs).length, 0)
      const checks = pipeline.stages.reduce((sum, stage) => sum + (stage.gate?.checks.length ?? 0), 0)
      const size = `${plural(pipeline.stages.length, 'stage')}, ${plural(edges, 'edge')}, ${plural(checks, 'check')}`
      process.stdout.write(
        `${paint('green', '✓')} ${pipeline.name}   ${[size, ...found].join(', ')}${place}\n`,
      )
    } else process.stdout.write(`${paint('red', '✗')} ${project.file}   ${found.join(', ')}${place}\n`)
    if (diagnostics.length > 0)
      process.stderr.write(
        `\n${renderDiagnostics(diagnostics, { color: useColor(process.stderr, command), language })}\n`,
      )
  }
  if (command.flags['json'] === true)
    process.stdout.write(
      `${JSON.stringify(
        all.map((each) => diagnosticJson(each, language)),
        null,
        2,
      )}\n`,
    )
  const fails = all.some((d) => d.severity === 'error' || command.flags['strict'] === true)
  return fails ? 2 : 0
}

function plural(count: number, word: string): string {
  return count === 0 ? '' : `${String(count)} ${word}${count === 1 ? '' : 's'}`
}

function where(diagnostic: Diagnostic): string {
  const { source, start } = diagnostic.primary.span
  const { line, column } = positionOf(source, start)
  return `${source.path}:${String(line)}:${String(column)}`
}

function diagnosticJson(diagnostic: Diagnostic, language: Language): unknown {
  const say = (words: Words | string): string => inLanguage(words, language)
  const { code, severity, message, primary, secondary, notes, help } = diagnostic
  const label = ({ span, text }: Diagnostic['primary']) => ({
    start: { ...positionOf(span.source, span.start), offset: span.start },
    end: { ...positionOf(span.source, span.end), offset: span.end },
    text: say(text),
  })
  return {
    code,
    severity,
    message: say(message),
    file: primary.span.source.path,
    range: label(primary),
    labels: secondary.map(label),
    notes: notes.map(say),
    help: help.map(say),
  }
}
