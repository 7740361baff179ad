/** `sluice report --md`: the comment for a pull request, on stdout. */
import type { Lock } from '../../engine/lock-file.ts'
import { runOf } from '../../engine/lock/settle.ts'
import { findMain } from '../baseline.ts'
import { judgeNow } from '../judging.ts'
import type { Judged } from '../judging.ts'
import type { Command } from '../options.ts'
import { Usage } from '../options.ts'
import { openPipeline } from '../project.ts'
import type { Opened } from '../project.ts'
import { commentText } from '../reports/comment.ts'
import type { CommentFacts, Provenance } from '../reports/comment.ts'
import { worst } from '../reports/gate-json.ts'
import { presentSnapshot } from '../snapshot.ts'
import { diffOf } from './diff.ts'
import { nextSteps } from './gate.ts'

/** Always 0 for a file that can be read: the gate decides, the comment tells. */
export async function reportCommand(command: Command, buildDir: string): Promise<number> {
  if (command.flags['md'] !== true)
    throw new Usage(
      'report wants --md, the Markdown for a pull request\n  help: sluice report --md > comment.md',
      true,
    )
  if (command.args.length > 0) throw new Usage(`report takes no ${command.args[0] ?? ''}`, true)
  const opened = await openPipeline(command, buildDir)
  const judged = await judgeNow(opened)
  process.stdout.write(commentText(await factsOf(opened, judged)))
  return 0
}

async function factsOf(opened: Opened, judged: Judged): Promise<CommentFacts> {
  const present = presentSnapshot(opened)
  const main = await findMain(opened)
  const why = main.git.type === 'none' ? `${main.git.why}: ${main.git.help}` : 'main has no scores'
  return {
    pipeline: opened.pipeline.name,
    description: opened.pipeline.description,
    verdict: worst(judged.gates.map(({ verdict }) => verdict)),
    gates: judged.gates,
    help: nextSteps(judged),
    diff:
      main.lock === null
        ? { missing: `there is no main to compare with; ${why}` }
        : diffOf(opened, { name: main.origin, lock: main.lock }, present, null),
    provenance: provenanceOf(opened, present.lock),
  }
}

function provenanceOf(opened: Opened, lock: Lock): Provenance {
  const stages = Object.entries(lock['stages'] ?? {})
  const keys = stages.flatMap(([name, { key }]) => (typeof key === 'string' ? [[name, key] as const] : []))
  const libraries = stages.flatMap(([, facts]) =>
    Object.entries(facts).flatMap(([fact, version]) =>
      fact.startsWith('runtime.') && typeof version === 'string'
        ? [[fact.slice('runtime.'.length), version] as const]
        : [],
    ),
  )
  const { sluice } = opened.environment.provenance
  return {
    keys: Object.fromEntries(keys),
    versions: { sluice: String(sluice ?? ''), ...Object.fromEntries(libraries.sort()) },
    run: opened.lock === null ? null : runOf(opened.lock),
    command: `npx sluice run --locked -f ${opened.file}`,
  }
}
