/** A review from the sheet to the verdict, as the engineer and a rater with a spreadsheet see it. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FILE, LOCK, trainedProject } from './newcomer.ts'
import type { Project } from './newcomer.ts'

async function reviewed(): Promise<Project> {
  const project = await trainedProject()
  project.edit('-> lora-train -> eval -> gate', '-> lora-train -> [eval, before] -> review -> gate')
  project.edit('sources:\n', 'sources:\n  ratings: { type: ratings, from: reviews/*.csv }\n')
  project.edit(
    '  gate:\n    checks:\n',
    `  before: { uses: eval, inputs: { adapter: none }, with: { metrics: [perplexity, exact_match], max_new_tokens: 8 } }
  review:
    uses: human-review
    inputs: { a: eval, b: before }
    with: { rows: 3, raters: 2 }
  gate:
    metrics: eval
    checks:
      - require: review.mean >= review.baseline_mean
        name: people do not mind it
`,
  )
  return project
}

/** The sheet as the run wrote it, filled in and saved by a spreadsheet program set to German. */
function rate(project: Project, name: string, score: number, only = Infinity): void {
  const sheet = project.read('.sluice/out/tiny/review/sheet/sheet.csv')
  const items = [...sheet.matchAll(/^(q[0-9a-f]{10}),/gm)].map((match) => match[1] ?? '')
  expect(items).toHaveLength(3)
  const rows = items.map((item, at) =>
    at < only ? `${item};${String(score)};${String(score)}` : `${item};;`,
  )
  project.write(`reviews/${name}.csv`, `item;score_1;score_2\r\n${rows.join('\r\n')}\r\n`)
}

test('the run writes the sheet, waits, and goes on when the ratings are there', async () => {
  const project = await reviewed()
  expect((await project.sluice('plan')).stdout).toMatch(/○ gate +if people have done their part of review/)
  const lock = project.read(LOCK)
  const first = await project.sluice('run')
  expect(first.code, first.stderr).toBe(5)
  expect(first.stdout).toContain(`review waits for people: 3 questions, 2 raters, no ratings yet
  sheet: .sluice/out/tiny/review/sheet/
  help: send it to each rater, keep what comes back as reviews/NAME.csv, then: sluice run`)
  expect(first.stderr).toContain('gate         skipped  review waits for people')
  // What was said of the last complete run still holds.
  expect(project.read(LOCK)).toBe(lock)

  rate(project, 'anna', 4)
  rate(project, '李', 3, 2)
  const second = await project.sluice('run')
  expect(second.code).toBe(5)
  expect(second.stdout).toContain('2 of 3 questions have their 2 raters; rated so far: anna 3, 李 2')
  const waits = await project.sluice('plan', '--check')
  expect(waits.code).toBe(0)
  expect(waits.stdout).toContain('everything is cached; review waits for people\n')
  expect(waits.stdout).toContain('review      waits for people: 2 of 3 questions')
  const why = await project.sluice('why', 'review')
  expect(why.stdout.match(/now:/g)).toHaveLength(1)
  expect(why.stdout).toContain('now:   waits for people: 2 of 3 questions')
  project.write('pipelines/other.pipeline.yaml', project.read(FILE).replace('name: tiny', 'name: other'))
  expect((await project.sluice('run', '-f', FILE)).stdout).toContain(`then: sluice run -f ${FILE}\n`)
  rmSync(join(project.root, 'pipelines/other.pipeline.yaml'))
  const judged = await project.sluice('gate')
  expect(judged.code).toBe(5)
  expect(judged.stderr).toContain('help: review waits for people: 2 of 3 questions')

  rate(project, '李', 9)
  const wrong = await project.sluice('run')
  expect(wrong.code).toBe(1)
  expect(wrong.stderr).toContain('review failed: reviews/李.csv:2: score_1 is "9"')

  rate(project, '李', 3)
  const third = await project.sluice('run')
  expect(third.code, third.stderr).toBe(0)
  expect(third.stdout).toMatch(
    /✓ review\.mean >= review\.baseline_mean +3\.500 +≥ +3\.500 +people do not mind it/,
  )
  expect(project.read(LOCK)).toContain('baseline_mean: 3.5')
  expect((await project.sluice('gate')).code).toBe(0)
})

test('whoever is named by `notify: waiting` hears of it', async () => {
  const project = await reviewed()
  project.edit('flow: |', 'notify: [{ on: waiting, run: cat > told.json }]\nflow: |')
  expect((await project.sluice('run')).code).toBe(5)
  expect(JSON.parse(project.read('told.json'))).toMatchObject({
    events: ['waiting'],
    exitCode: 5,
    text: 'tiny: exit code 5, review waits for people: 3 questions, 2 raters, no ratings yet',
  })
})

test('a rehearsal asks nobody', async () => {
  const project = await reviewed()
  const { code, stdout } = await project.sluice('run', '--smoke')
  expect(stdout).toContain('verdicts do not count')
  expect(code).toBe(0)
})
