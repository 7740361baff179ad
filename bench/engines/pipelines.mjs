// The same pipelines for all engines, in words of none of them.
//
// A stage reads files, folders or other stages, each under a name, and writes one file. In its `run`, {a} is
// what it reads as `a` and {out} is the file to write. Every stage also notes in `ran.log` that it ran. `made` is the name of its file, if that
// is not its own; `variables` are those of the environment that its command reads.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Chains of ten stages, each from a file of its own. */
export function chains(count) {
  const stages = Array.from({ length: count }, (_, i) => ({
    name: `s${i}`,
    reads: { a: i % 10 === 0 ? { file: `data/${i}.txt` } : { stage: `s${i - 1}` } },
    run: 'cat {a} > {out}',
  }))
  const files = stages.flatMap(({ reads: { a } }, i) =>
    a.file === undefined ? [] : [[a.file, `row ${i}\n`]],
  )
  return { stages, files }
}

/** Stages that read a folder of small files each. */
export function folders(count, filesEach) {
  const stages = Array.from({ length: count }, (_, i) => ({
    name: `s${i}`,
    reads: { a: { folder: `data/f${i}` } },
    run: 'ls {a} | wc -l > {out}',
  }))
  const files = stages.flatMap((_, i) =>
    Array.from({ length: filesEach }, (_, k) => [`data/f${i}/${k}.txt`, `file ${k} of ${i}\n`]),
  )
  return { stages, files }
}

/** Trials side by side that differ in one word. */
export function trials(count) {
  const stages = Array.from({ length: count }, (_, i) => ({
    name: `s${i}`,
    reads: { a: { file: 'data/rows.txt' } },
    run: `(cat {a}; echo trial ${i}) > {out}`,
  }))
  return { stages, files: [['data/rows.txt', 'a row\n']] }
}

/** The first stage drops blanks; what follows need not notice an edit that only adds some. */
export function cleaned(length) {
  const later = Array.from({ length: length - 1 }, (_, i) => ({
    name: `s${i + 1}`,
    reads: { a: { stage: `s${i}` } },
    run: '(cat {a}; echo more) > {out}',
  }))
  return {
    stages: [
      { name: 's0', reads: { a: { file: 'data/rows.txt' } }, run: "tr -d ' ' < {a} > {out}" },
      ...later,
    ],
    files: [['data/rows.txt', 'one\ntwo\n']],
  }
}

/** Stages in a row that take a moment each. */
export function slowChain(length, seconds) {
  const { stages, files } = cleaned(length)
  return { stages: stages.map((stage) => ({ ...stage, run: `sleep ${seconds}; ${stage.run}` })), files }
}

/** Two stages on one that is done before. */
export function fork(seconds) {
  const branch = (name) => ({
    name,
    reads: { a: { stage: 'shared' } },
    run: `sleep ${seconds}; (cat {a}; echo ${name}) > {out}`,
  })
  return {
    stages: [
      { name: 'shared', reads: { a: { file: 'data/rows.txt' } }, run: 'cat {a} > {out}' },
      branch('left'),
      branch('right'),
    ],
    files: [['data/rows.txt', 'a row\n']],
  }
}

export function writeFiles(dir, files) {
  for (const [path, text] of files) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
}

/** The command of a stage for engines that know files by path. */
export function commandWithPaths(stage) {
  const paths = Object.entries(stage.reads).map(([port, read]) => [port, pathOf(read)])
  return noted(stage, fill(stage.run, Object.fromEntries([...paths, ['out', outputOf(madeBy(stage))]])))
}

export function fill(run, values) {
  return run.replace(/\{(\w+)\}/g, (_, name) => values[name])
}

export function noted(stage, run) {
  return `echo ${madeBy(stage)} >> ran.log; ${run}`
}

export function madeBy({ name, made }) {
  return made ?? name
}

export function pathOf({ file, folder, stage }) {
  return file ?? folder ?? outputOf(stage)
}

export function outputOf(name) {
  return `made/${name}.txt`
}
