/** `sluice graph`: the stages and what flows between them; looks at no data. */
import type { Pipeline } from '../../dsl/pipeline.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { compiledPipeline, stringFlag } from '../project.ts'
import { dotText, drawingText, edgesOf, mermaidText, wiringText } from '../reports/graph.ts'

const FORMS: Readonly<Record<string, (pipeline: Pipeline) => string>> = {
  text: drawingText,
  mermaid: mermaidText,
  dot: dotText,
}

export async function graphCommand(command: Command, buildDir: string): Promise<number> {
  const format = stringFlag(command, 'format')
  const draw = FORMS[format ?? 'text']
  if (draw === undefined)
    throw new Usage(`--format is one of ${Object.keys(FORMS).join(', ')}; this is '${String(format)}'`, true)
  const wiring = command.flags['wiring'] === true
  if (wiring && format !== null && format !== 'text')
    throw new Usage(`--wiring is a form of text; ${format} names the ports anyway`, true)
  const { pipeline } = await compiledPipeline(command, buildDir)
  const { stages } = pipeline
  const text =
    command.flags['json'] === true
      ? JSON.stringify({ stages: stages.map(({ name }) => name), edges: edgesOf(stages) }, null, 2)
      : wiring
        ? wiringText(pipeline)
        : draw(pipeline)
  process.stdout.write(`${text}\n`)
  return 0
}
