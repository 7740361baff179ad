/** A source on a hub, as far as this machine and the lock know it: its content, and how to get its files. Asks nobody. */
import { isCommit } from '../../dsl/hub-address.ts'
import type { HubAddress } from '../../dsl/hub-address.ts'
import type { Digest, Tree } from '../artifact.ts'
import type { FoundSource } from '../environment.ts'
import type { Facts } from '../lock-file.ts'
import { bringModel, isHere } from './bring-model.ts'
import type { Fetching } from './fetching.ts'
import { areLinksUnchanged } from './links.ts'
import { listModel } from './list-model.ts'
import { bytesIn, isWhole, knownCommit, markUsed, placesOf, readListing, smallTree } from './snapshot.ts'

export interface Known {
  /** As the file writes it. */
  readonly from: string
  readonly address: HubAddress
  /** What the lock says of the source. */
  readonly locked: Facts | undefined
  /** A rehearsal reads configuration and tokenizer only. */
  readonly smallOnly: boolean
  readonly fetching: Fetching
}

/** The commit that later runs use: the one written, else the lock's, else that of this machine's first run. */
export function pinnedCommit({ from, address, locked, fetching }: Omit<Known, 'smallOnly'>): string | null {
  const { repository, revision } = address
  if (revision !== null && isCommit(revision)) return revision
  const { commit } = ofSameAddress(from, locked)
  if (typeof commit === 'string' && isCommit(commit)) return commit
  return knownCommit(fetching.stateDir, repository, revision ?? 'main')
}

function ofSameAddress(from: string, locked: Facts | undefined): Facts {
  return locked?.['from'] === from ? locked : {}
}

/** What the lock says that this very commit holds; null if it says nothing of it. */
export function lockedDigest({ from, locked }: Pick<Known, 'from' | 'locked'>, at: string): Digest | null {
  const { digest, commit } = ofSameAddress(from, locked)
  return typeof digest === 'string' && commit === at ? (digest as Digest) : null
}

/** Null while nobody has asked the hub what the source holds. */
export function hubSource(known: Known): FoundSource | null {
  const { address, smallOnly, fetching } = known
  const commit = pinnedCommit(known)
  if (commit === null) return null
  const digest = lockedDigest(known, commit)
  const places = placesOf(fetching.stateDir, address.repository, commit)
  const tree = readListing(places, digest)
  if (tree !== null) {
    markUsed(places)
    return listedSource(known, commit, tree)
  }
  return smallOnly || digest === null ? null : lockedSource(known, commit, digest)
}

/** A source of which every file is known. */
export function listedSource(
  { from, address: { repository }, smallOnly, fetching }: Known,
  commit: string,
  listed: Tree,
): FoundSource {
  const places = placesOf(fetching.stateDir, repository, commit)
  const dir = smallOnly ? places.small : places.whole
  const tree = smallOnly ? smallTree(listed) : listed
  const bytes = bytesIn(listed)
  return {
    ...{ digest: tree.digest, dir, count: tree.files.length },
    files: tree.files.map(({ path }) => path),
    isUnchanged: () => Promise.resolve(smallOnly || areLinksUnchanged(places, tree)),
    hub: {
      origin: { from, commit, bytes },
      tree,
      bytes,
      isHere: () => (smallOnly ? isWhole(dir, tree) : isHere(places, tree)),
      bring: (signal) =>
        smallOnly ? Promise.resolve() : bringModel({ repository, commit }, tree, fetching, signal),
    },
  }
}

/** A source of which this machine has nothing, and the lock says what it holds. */
function lockedSource(
  { from, address: { repository }, locked, fetching }: Known,
  commit: string,
  digest: Digest,
): FoundSource {
  const pinned = { repository, commit }
  const places = placesOf(fetching.stateDir, repository, commit)
  const { files, bytes } = locked ?? {}
  const size = typeof bytes === 'number' ? bytes : null
  return {
    digest,
    dir: places.whole,
    count: typeof files === 'number' ? files : 0,
    get files() {
      return (readListing(places, digest)?.files ?? []).map(({ path }) => path)
    },
    isUnchanged: () =>
      Promise.resolve(areLinksUnchanged(places, readListing(places, digest) ?? { files: [] })),
    hub: {
      origin: { from, commit, ...(size === null ? {} : { bytes: size }) },
      tree: null,
      bytes: size,
      isHere: () => false,
      bring: async (signal) => {
        const tree = await listModel(pinned, { digest }, fetching, signal)
        await bringModel(pinned, tree, fetching, signal)
      },
    },
  }
}
