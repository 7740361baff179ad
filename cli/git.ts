/** Git as this program asks it: which branch is the default one, and what a file said in its earlier versions. */
import { execFileSync } from 'node:child_process'

/** A version of a file in git's history. */
export interface Version {
  /** Abbreviated commit. */
  readonly commit: string
  /** The day of the commit, as `2026-11-17`. */
  readonly at: string
  readonly text: string
}

export type Branch =
  /** `ref` is what git resolves: `origin/main` if it was fetched, else `main`. */
  | { readonly type: 'found'; readonly name: string; readonly ref: string; readonly shallow: boolean }
  | { readonly type: 'none'; readonly why: string; readonly help: string }

/** So many versions of a file are looked at, which is also the depth that CI is asked to fetch. */
export const HISTORY_DEPTH = 200

/** @param configured `default_branch` of sluice.config.yaml, if it is set */
export function defaultBranch(cwd: string, configured: string | null): Branch {
  const inside = tryGit(cwd, ['rev-parse', '--is-inside-work-tree'])
  if (inside.type === 'no-git') return { type: 'none', why: 'git is not installed here', help: 'install git' }
  if (inside.type === 'failed')
    return {
      type: 'none',
      why: 'this folder is not in a git repository',
      help: 'git init, and commit the lock file',
    }
  const head = textOf(tryGit(cwd, ['symbolic-ref', '--quiet', '--short', 'refs/remotes/origin/HEAD']))
  const names =
    configured !== null ? [configured] : head === null ? ['main', 'master'] : [head.replace(/^origin\//, '')]
  const shallow = textOf(tryGit(cwd, ['rev-parse', '--is-shallow-repository'])) === 'true'
  for (const name of names) {
    const ref = [`origin/${name}`, name].find((each) => isCommit(cwd, each))
    if (ref !== undefined) return { type: 'found', name, ref, shallow }
  }
  const [name = 'main'] = names
  if (!isCommit(cwd, 'HEAD'))
    return {
      type: 'none',
      why: 'git has no commit here yet',
      help: 'make the first one: git add -A && git commit',
    }
  const remote = textOf(tryGit(cwd, ['remote'])) ?? ''
  return remote.split('\n').includes('origin')
    ? { type: 'none', why: `${name} is not fetched here`, help: fetchCommand(name) }
    : {
        type: 'none',
        why: `there is no branch ${names.join(' or ')} here, and no remote 'origin' to fetch it from`,
        help: `say which branch it is, in sluice.config.yaml: default_branch: trunk`,
      }
}

/** The refspec makes it work in a clone of a single branch, too. */
export function fetchCommand(branch: string): string {
  return `git fetch --depth=${String(HISTORY_DEPTH)} origin ${branch}:refs/remotes/origin/${branch}`
}

/**
 * The versions of a file on a branch, newest first, as the branch itself had them: of a merged branch only the merge
 * counts, not the steps on the way. `path` is relative to `cwd`; commits that deleted the file are left out.
 */
export function versionsOf(cwd: string, ref: string, path: string, most: number): readonly Version[] {
  const log = textOf(
    tryGit(cwd, ['log', '--first-parent', '--format=%h %cs', '-n', String(most), ref, '--', path]),
  )
  const commits = (log ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' '))
  const texts = contentsOf(
    cwd,
    commits.map(([commit = '']) => `${commit}:./${path}`),
  )
  return commits.flatMap(([commit = '', at = ''], i) => {
    const text = texts[i]
    return text === undefined || text === null ? [] : [{ commit, at, text }]
  })
}

/** A file as it was in a revision; null if the revision or the file in it does not exist. */
export function fileAt(cwd: string, revision: string, path: string): Version | null {
  // A word that starts with a dash would be an option to git.
  if (revision.startsWith('-') || !isCommit(cwd, revision)) return null
  const [commit = '', at = ''] = (
    textOf(tryGit(cwd, ['log', '-1', '--format=%h %cs', revision, '--'])) ?? ''
  ).split(' ')
  const [text] = contentsOf(cwd, [`${commit}:./${path}`])
  return text === undefined || text === null ? null : { commit, at, text }
}

/** These files as they were in a commit; absent if they were not there. Paths are relative to `cwd`. */
export function filesAt(cwd: string, commit: string, paths: readonly string[]): ReadonlyMap<string, string> {
  const texts = contentsOf(
    cwd,
    paths.map((path) => `${commit}:./${path}`),
  )
  return new Map(
    paths.flatMap((path, i): [string, string][] => {
      const text = texts[i]
      return text == null ? [] : [[path, text]]
    }),
  )
}

/** The files below these folders in a commit, relative to `cwd`. */
export function namesAt(cwd: string, commit: string, folders: readonly string[]): readonly string[] {
  const listed = textOf(tryGit(cwd, ['ls-tree', '-r', '--name-only', '-z', commit, '--', ...folders]))
  return (listed ?? '').split('\0').filter((name) => name !== '')
}

/** Both versions of a file that a merge could not join, as git's index holds them; null if there are none. */
export function unmergedVersions(
  cwd: string,
  path: string,
): { readonly ours: string; readonly theirs: string } | null {
  if (tryGit(cwd, ['rev-parse', '--is-inside-work-tree']).type !== 'said') return null
  const [ours, theirs] = contentsOf(cwd, [`:2:./${path}`, `:3:./${path}`])
  return ours == null || theirs == null ? null : { ours, theirs }
}

export function isCommit(cwd: string, revision: string): boolean {
  return (
    tryGit(cwd, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`]).type ===
    'said'
  )
}

/** Commits of a branch that are here, which in a shallow clone is not all of them. */
export function depthOf(cwd: string, ref: string): number {
  return Number(textOf(tryGit(cwd, ['rev-list', '--count', '--first-parent', ref])) ?? 0)
}

/** Several objects through one process; null for those that do not exist. */
function contentsOf(cwd: string, objects: readonly string[]): readonly (string | null)[] {
  if (objects.length === 0) return []
  const answer = execFileSync('git', ['cat-file', '--batch'], {
    cwd,
    input: objects.map((object) => `${object}\n`).join(''),
    stdio: ['pipe', 'pipe', 'ignore'],
    maxBuffer: MOST_BYTES,
  })
  const texts: (string | null)[] = []
  for (let at = 0; at < answer.length;) {
    const end = answer.indexOf(10, at)
    const size = /^[0-9a-f]+ blob (?<size>\d+)$/.exec(answer.subarray(at, end).toString())?.groups?.['size']
    at = end + 1
    if (size === undefined) {
      texts.push(null)
      continue
    }
    texts.push(answer.subarray(at, at + Number(size)).toString())
    at += Number(size) + 1
  }
  return texts
}

/** 200 versions of a lock of two thousand stages stay below it. */
const MOST_BYTES = 1 << 29

type Answer =
  { readonly type: 'said'; readonly text: string } | { readonly type: 'failed' } | { readonly type: 'no-git' }

function tryGit(cwd: string, args: readonly string[]): Answer {
  try {
    const text = execFileSync('git', args, {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: MOST_BYTES,
    })
    return { type: 'said', text: text.trimEnd() }
  } catch (error) {
    return { type: (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no-git' : 'failed' }
  }
}

function textOf(answer: Answer): string | null {
  return answer.type === 'said' ? answer.text : null
}
