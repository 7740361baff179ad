/** The records of the store -> what a hash is, what it was made from, and what was made from it. */
import type { Artifact, Digest, TreeFile } from '../engine/artifact.ts'
import type { Result } from '../engine/store/results.ts'
import { usersOf } from './store.ts'
import type { StoreView } from './store.ts'

/** A port of a result; `user` is `pipeline/stage` by the newest run that had the result, '' if no run here names it. */
export interface Port {
  readonly user: string
  readonly key: Digest
  readonly port: string
}

export type Found =
  | { readonly type: 'result'; readonly digest: Digest; readonly result: Result; readonly user: string }
  | {
      readonly type: 'artifact'
      readonly digest: Digest
      readonly artifact: Artifact
      /** Null if the list itself is gone. */
      readonly files: readonly TreeFile[] | null
    }
  | {
      readonly type: 'file'
      readonly digest: Digest
      readonly size: number
      readonly places: readonly { readonly path: string; readonly artifact: Artifact }[]
    }
  /** Something that results were made from, and that no result here made. */
  | { readonly type: 'source'; readonly digest: Digest; readonly names: readonly string[] }

export class Lineage {
  readonly #view: StoreView
  readonly #users: ReadonlyMap<Digest, string>
  readonly #results: readonly Result[]
  readonly #makers = new Map<Digest, Port[]>()
  readonly #readers = new Map<Digest, Port[]>()
  readonly #artifacts = new Map<Digest, Artifact>()

  constructor(view: StoreView) {
    this.#view = view
    this.#users = usersOf(view.runs)
    this.#results = [...view.stores.results.records()]
      .flatMap(({ key }) => view.stores.results.read(key) ?? [])
      .sort((a, b) => (a.key < b.key ? -1 : 1))
    for (const result of this.#results) {
      for (const [port, artifact] of Object.entries(result.outputs)) {
        this.#artifacts.set(artifact.tree, artifact)
        add(this.#makers, artifact.tree, { user: this.userOf(result.key), key: result.key, port })
      }
      for (const { port, digest } of inputsOf(result))
        add(this.#readers, digest, { user: this.userOf(result.key), key: result.key, port })
    }
  }

  userOf(key: Digest): string {
    return this.#users.get(key) ?? ''
  }

  /** The results that have this content as an output. */
  makersOf(digest: Digest): readonly Port[] {
    return this.#makers.get(digest) ?? []
  }

  /** The results that were made from this content. */
  readersOf(digest: Digest): readonly Port[] {
    return this.#readers.get(digest) ?? []
  }

  /** Ids of the runs that made or used a result, newest first. */
  runsOf(key: Digest): readonly string[] {
    return this.#view.runs.flatMap(({ run, keys }) => ([...keys.values()].includes(key) ? [run] : []))
  }

  /** All that begins with these hex digits. Files are looked for only where nothing else is called so. */
  find(prefix: string): readonly Found[] {
    const called = (digest: Digest) => digest.startsWith(`sha256:${prefix}`)
    const found: Found[] = []
    for (const result of this.#results)
      if (called(result.key))
        found.push({ type: 'result', digest: result.key, result, user: this.userOf(result.key) })
    for (const [digest, artifact] of this.#artifacts)
      if (called(digest)) {
        const files = this.#view.stores.blobs.filesOf(digest)
        found.push({ type: 'artifact', digest, artifact, files })
      }
    for (const digest of this.#readers.keys())
      if (called(digest) && !this.#artifacts.has(digest))
        found.push({ type: 'source', digest, names: this.#sourcesCalled(digest) })
    return found.length > 0 ? found : this.#files(called)
  }

  #files(called: (digest: Digest) => boolean): readonly Found[] {
    const files = new Map<Digest, { size: number; places: { path: string; artifact: Artifact }[] }>()
    for (const [tree, artifact] of this.#artifacts)
      for (const { path, size, digest } of this.#view.stores.blobs.filesOf(tree) ?? []) {
        if (!called(digest)) continue
        const file = files.get(digest) ?? { size, places: [] }
        files.set(digest, file)
        file.places.push({ path, artifact })
      }
    return [...files].map(([digest, file]) => ({ type: 'file', digest, ...file }))
  }

  #sourcesCalled(digest: Digest): readonly string[] {
    const names = this.#view.locks.flatMap((lock) =>
      Object.entries(lock['sources'] ?? {}).flatMap(([name, facts]) =>
        facts['digest'] === digest ? [`sources.${name}`] : [],
      ),
    )
    return [...new Set(names)]
  }
}

function add(ports: Map<Digest, Port[]>, digest: Digest, port: Port): void {
  const known = ports.get(digest)
  if (known === undefined) ports.set(digest, [port])
  else known.push(port)
}

/** What a result was made from, by port. */
export function inputsOf({
  manifest,
}: Result): readonly { readonly port: string; readonly digest: Digest }[] {
  return Object.entries(manifest).flatMap(([name, value]) =>
    name.startsWith('input.')
      ? [{ port: name.slice('input.'.length), digest: JSON.parse(value) as Digest }]
      : [],
  )
}
