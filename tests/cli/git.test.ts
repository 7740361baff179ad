/** Git as the gate asks it, in real repositories: main with and without history, and what is said when it is not there. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { blessingPath, findMain, mainYardstick } from '../../cli/baseline.ts'
import type { Main } from '../../cli/baseline.ts'
import { defaultBranch, fileAt, unmergedVersions, versionsOf } from '../../cli/git.ts'
import { pastLocks, rejudge } from '../../cli/looking-back.ts'
import type { PastLock } from '../../cli/looking-back.ts'
import { historyText } from '../../cli/reports/what-if.ts'
import { painter } from '../../cli/reports/style.ts'
import { lockText } from '../../engine/lock-file.ts'
import type { Lock } from '../../engine/lock-file.ts'
import { blessingText, identityOf } from '../../engine/lock/blessing.ts'
import { BlobStore } from '../../engine/store/blobs.ts'
import { gateWith } from '../dsl/gate-fixture.ts'
import { newRoot, takeTree } from '../support/rig.ts'

const LOCK = 'pipelines/t.pipeline.lock'
const DAY: NodeJS.ProcessEnv = {
  GIT_AUTHOR_DATE: '2026-11-04T12:00:00Z',
  GIT_COMMITTER_DATE: '2026-11-04T12:00:00Z',
}

/** No configuration of the machine takes part. */
const ENVIRONMENT = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null', ...DAY }

class Repository {
  readonly root: string
  constructor(root: string = newRoot()) {
    this.root = root
  }

  static init(): Repository {
    const made = new Repository()
    made.git('init', '-q', '-b', 'main')
    return made
  }

  git(...args: readonly string[]): string {
    const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.com', '-c', 'commit.gpgsign=false']
    return execFileSync('git', [...identity, ...args], {
      cwd: this.root,
      encoding: 'utf8',
      env: ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim()
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true })
    writeFileSync(join(this.root, path), text)
  }

  /** Commits a lock and gives the abbreviated commit. */
  lock(bleu: number, verdict: string, more: Lock = {}): string {
    this.write(LOCK, lockText(lockWith(bleu, verdict, more)))
    return this.commit(`bleu ${String(bleu)}`)
  }

  commit(message: string): string {
    this.git('add', '-A')
    this.git('commit', '-q', '--allow-empty', '-m', message)
    return this.git('rev-parse', '--short', 'HEAD')
  }

  clone(...options: readonly string[]): Repository {
    const made = new Repository(join(newRoot(), 'clone'))
    execFileSync('git', ['clone', '-q', ...options, `file://${this.root}`, made.root], {
      env: ENVIRONMENT,
      stdio: 'ignore',
    })
    return made
  }

  main(): Promise<Main> {
    return findMain({ root: this.root, lockPath: join(this.root, LOCK) })
  }
}

function lockWith(bleu: number, verdict: string, more: Lock = {}): Lock {
  return {
    gates: { gate: { verdict, run: `run-${String(bleu)}`, at: '2026-11-04' } },
    scores: { eval: { ruler: 'r', rows: 4, bleu }, untuned: { ruler: 'r', rows: 4, bleu: 0.1 } },
    stages: { eval: { key: String(bleu) } },
    ...more,
  }
}

/** `bleu` of main, or the words why there is none. */
function bleuOf(main: Main): number | string | null | undefined {
  const found = mainYardstick(main, 'eval', null)
  return 'missing' in found ? found.missing : found.values['bleu']
}

describe('main', () => {
  test('is the newest version on the default branch that passed', async () => {
    const repository = Repository.init()
    repository.lock(0.3, 'pass')
    const passed = repository.lock(0.4, 'pass')
    repository.lock(0.5, 'fail')
    repository.lock(0.6, 'undecided')
    repository.write(LOCK, '<<<<<<< not a lock\n')
    repository.commit('damaged')
    const main = await repository.main()
    expect(main.origin).toBe(`main@${passed}`)
    expect(bleuOf(main)).toBe(0.4)
    expect(main.git).toMatchObject({
      type: 'passing',
      passing: { at: '2026-11-04', ref: 'main', run: 'run-0.4' },
    })
  })

  test('of a merged branch only the merge counts', async () => {
    const repository = Repository.init()
    repository.lock(0.3, 'pass')
    repository.git('switch', '-q', '-c', 'work')
    repository.lock(0.9, 'pass')
    repository.lock(0.5, 'fail')
    repository.git('switch', '-q', 'main')
    repository.git('merge', '-q', '--no-ff', '-m', 'merge', 'work')
    expect(bleuOf(await repository.main())).toBe(0.3)
  })

  test('lies where the configuration says, else where origin/HEAD points, in a folder of the repository too', async () => {
    const repository = Repository.init()
    repository.lock(0.3, 'pass')
    repository.git('switch', '-q', '-c', 'trunk')
    repository.lock(0.7, 'pass')
    expect(bleuOf(await repository.clone().main())).toBe(0.7)
    repository.git('switch', '-q', 'main')
    expect(bleuOf(await repository.main())).toBe(0.3)
    repository.write('sluice.config.yaml', 'version: 1\ndefault_branch: trunk\n')
    expect(bleuOf(await repository.main())).toBe(0.7)
    repository.write('sluice.config.yaml', 'version: 1\ndefault_brunch: trunk\n')
    await expect(repository.main()).rejects.toMatchObject({ diagnostics: [{ code: 'E003' }] })
    const inner = Repository.init()
    inner.write(`deep/${LOCK}`, lockText(lockWith(0.8, 'pass')))
    inner.commit('deep')
    const deep = await findMain({ root: join(inner.root, 'deep'), lockPath: join(inner.root, 'deep', LOCK) })
    expect(bleuOf(deep)).toBe(0.8)
  })

  test('what was blessed stands in until another run passes there', async () => {
    const repository = Repository.init()
    repository.lock(0.3, 'pass')
    const bless = (insteadOf: string | null) =>
      repository.write(
        blessingPath(LOCK),
        blessingText({ how: 'set', insteadOf, of: 'run 7f3a', why: null, lock: lockWith(0.2, 'fail') }),
      )
    bless(identityOf(lockWith(0.3, 'pass')))
    expect(await repository.main()).toMatchObject({ origin: 'main (set to run 7f3a)' })
    expect(bleuOf(await repository.main())).toBe(0.2)
    repository.lock(0.4, 'pass')
    expect(bleuOf(await repository.main())).toBe(0.4)
    expect((await repository.main()).blessing).not.toBeNull()
  })
})

describe('a main that is not there is explained, with the command that brings it', () => {
  test('the branch was not fetched; the command works in a clone of one branch', async () => {
    const repository = Repository.init()
    repository.lock(0.3, 'pass')
    for (let i = 0; i < 3; i++) repository.commit('more')
    repository.git('switch', '-q', '-c', 'pr')
    repository.commit('change')
    repository.git('switch', '-q', 'main')
    const clone = repository.clone('--depth=1', '--single-branch', '--branch=pr')
    const missing = await clone.main()
    const command = 'git fetch --depth=200 origin main:refs/remotes/origin/main'
    expect(bleuOf(missing)).toBe(`main is not fetched here: ${command}`)
    clone.git(...command.split(' ').slice(1))
    expect(bleuOf(await clone.main())).toBe(0.3)
  })

  test('the history was cut off before a passing version', async () => {
    const repository = Repository.init()
    repository.lock(0.3, 'pass')
    repository.lock(0.5, 'fail')
    const clone = repository.clone('--depth=1')
    expect(bleuOf(await clone.main())).toMatch(
      /^only 1 commit of origin\/main are? ?.*shallow clone.*: git fetch --depth=200 origin main/,
    )
  })

  test('nothing has passed, there is no such branch, no repository', async () => {
    const repository = Repository.init()
    repository.lock(0.5, 'fail')
    expect(bleuOf(await repository.main())).toMatch(
      /^no version of .* on main has passed its gates yet: first release\?/,
    )
    repository.git('branch', '-m', 'elsewhere')
    expect(bleuOf(await repository.main())).toMatch(/no branch main or master here.*default_branch: trunk/)
    expect(bleuOf(await new Repository().main())).toMatch(/^this folder is not in a git repository/)
  })

  test('main measured another stage', async () => {
    const repository = Repository.init()
    const commit = repository.lock(0.3, 'pass')
    expect(mainYardstick(await repository.main(), 'final', null)).toEqual({
      missing: `main@${commit} measured no stage 'final', only eval, untuned`,
    })
  })
})

describe('versions of a file', () => {
  test('come newest first with their texts, deletions left out; a revision that looks like an option is none', () => {
    const repository = Repository.init()
    const first = repository.lock(0.3, 'pass')
    repository.git('rm', '-q', LOCK)
    repository.commit('gone')
    const again = repository.lock(0.4, 'pass')
    expect(versionsOf(repository.root, 'HEAD', LOCK, 10).map(({ commit }) => commit)).toEqual([again, first])
    expect(versionsOf(repository.root, 'HEAD', 'nowhere', 10)).toEqual([])
    expect(fileAt(repository.root, 'HEAD~2', LOCK)?.commit).toBe(first)
    expect(fileAt(repository.root, 'HEAD~1', LOCK)).toBeNull()
    expect(fileAt(repository.root, '--output=x', LOCK)).toBeNull()
    expect(fileAt(repository.root, 'nosuch', LOCK)).toBeNull()
  })

  test('both sides of a conflict are read whole from the index', () => {
    const repository = Repository.init()
    repository.lock(0.3, 'pass')
    repository.git('switch', '-q', '-c', 'work')
    repository.lock(0.5, 'fail')
    repository.git('switch', '-q', 'main')
    expect(unmergedVersions(repository.root, LOCK)).toBeNull()
    repository.lock(0.4, 'pass')
    expect(() => repository.git('merge', '-q', 'work')).toThrow()
    expect(unmergedVersions(repository.root, LOCK)).toEqual({
      ours: lockText(lockWith(0.4, 'pass')),
      theirs: lockText(lockWith(0.5, 'fail')),
    })
  })

  test('defaultBranch prefers what the remote has', () => {
    const repository = Repository.init()
    repository.commit('one')
    expect(defaultBranch(repository.root, null)).toMatchObject({ ref: 'main', shallow: false })
    expect(defaultBranch(repository.clone('--depth=1').root, null)).toMatchObject({
      ref: 'origin/main',
      shallow: true,
    })
  })
})

describe('the past judged again', () => {
  const repository = Repository.init()
  const commits = [
    repository.lock(0.3, 'pass'),
    repository.lock(0.342, 'pass'),
    repository.commit('only a comment'),
    repository.lock(0.36, 'fail'),
    repository.lock(0.4, 'pass', { scores: { eval: { ruler: 'other', bleu: 0.4 } } }),
  ]
  const runs = pastLocks({ root: repository.root, lockPath: join(repository.root, LOCK) }, 20)
  const again = (check: string, most = 20) => {
    const gate = gateWith([check])
    return { gate, rejudged: rejudge({ gate, name: 'gate', checks: gate.checks, store: null }, runs, most) }
  }

  test('a commit that changes no score is no run', () => {
    expect(runs.map(({ commit, run }) => [commit, run])).toEqual([
      [commits[4], 'run-0.4'],
      [commits[3], 'run-0.36'],
      [commits[1], 'run-0.342'],
      [commits[0], 'run-0.3'],
    ])
  })

  test('counts what would have been blocked, and names the newest that had passed', () => {
    const { gate, rejudged } = again('bleu >= 0.35')
    expect(rejudged.map(({ was, now }) => [was, now.verdict])).toEqual([
      ['pass', 'pass'],
      ['fail', 'pass'],
      ['pass', 'fail'],
      ['pass', 'fail'],
    ])
    const text = historyText('what if bleu >= 0.35', gate.checks, rejudged, painter(false))
    expect(text.split('\n')).toEqual([
      `what if bleu >= 0.35   would have blocked 2 of 4, incl. the one of 4 Nov 2026 (${String(commits[1])}), which had passed`,
      '',
      `  ${String(commits[1])}  2026-11-04  was pass        FAIL       bleu >= 0.35: 0.342 < 0.350, short by 0.00800 (2.3 %)`.replace(
        '0.00800',
        '0.008',
      ),
      `  ${String(commits[0])}  2026-11-04  was pass        FAIL       bleu >= 0.35: 0.300 < 0.350, short by 0.050 (14 %)`,
    ])
  })

  test('main is what had passed before, by the same ruler only; last is the run before', () => {
    expect(again('bleu > main.bleu').rejudged.map(({ now }) => now.verdict)).toEqual([
      'undecided',
      'pass',
      'pass',
      'undecided',
    ])
    expect(again('bleu > last.bleu').rejudged.map(({ now }) => now.verdict)).toEqual([
      'undecided',
      'pass',
      'pass',
      'undecided',
    ])
    const [newest] = again('bleu > main.bleu').rejudged
    expect(newest?.now.checks[0]?.reason).toMatch(/different ruler/)
    expect(again('bleu >= 0.9', 2).rejudged).toHaveLength(2)
  })

  test('significance needs the rows of that day: found in the store, else undecided', async () => {
    const blobs = new BlobStore(newRoot())
    const measured = async (hits: number) => {
      const dir = newRoot()
      const rows = Array.from({ length: 40 }, (_, i) => ({
        id: String(i),
        statistics: { exact_match: [i < hits ? 1 : 0] },
      }))
      writeFileSync(join(dir, 'rows.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
      return (await takeTree(blobs, dir)).digest
    }
    const past = (commit: string, hits: number, tree: string): PastLock => ({
      commit,
      at: '2026-11-04',
      run: null,
      lock: {
        gates: { gate: { verdict: 'pass' } },
        scores: { eval: { ruler: 'r', rows: 40, exact_match: hits / 40 } },
        stages: { eval: { 'out.metrics': tree } },
      },
    })
    const [low, high] = [await measured(10), await measured(30)]
    const gate = gateWith(['exact_match > main.exact_match with p < 0.05'])
    const ask = (newest: string) => {
      const runs = [past('new', 30, newest), past('old', 10, low)]
      const store = { blobs, portOf: () => 'metrics' }
      return rejudge({ gate, name: 'gate', checks: gate.checks, store }, runs, 1)[0]?.now
    }
    expect(ask(high)?.verdict).toBe('pass')
    expect(ask('sha256:00')).toMatchObject({
      verdict: 'undecided',
      checks: [{ reason: 'the rows behind exact_match are not in this store' }],
    })
  })

  test('nothing to judge is said', () => {
    const empty = Repository.init()
    empty.commit('none')
    expect(pastLocks({ root: empty.root, lockPath: join(empty.root, LOCK) }, 20)).toEqual([])
    expect(historyText('what if x', [], [], painter(false))).toContain('no earlier run is in the git history')
  })
})
