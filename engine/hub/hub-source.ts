/** A source on a hub, as far as this machine and the lock know it: its content, and how to get its files. Asks nobody. */
import { isCommit } from '../../dsl/hub-address.ts'
import type { HubAddress } from '../../dsl/hub-address.ts'
import type { Digest, Tree } from '../artifact.ts'
import type { FoundSource } from '../environment.ts'
import type { Facts } from '../lock-file.ts'
import { bringModel } from './bring-model.ts'
import type { Fetching } from './fetching.ts'
import { listModel } from './list-model.ts'
import { bytesIn, isWhole, knownCommit, placesOf, readListing, smallTree } from './snapshot.ts'
import { HubTrouble } from './trouble.ts'

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

/** Null while nobody has asked the hub what the source holds. */
export function hubSource(known: Known): FoundSource | null {
  const { from, address, locked, smallOnly, fetching } = known
  const commit = pinnedCommit(known)
  if (commit === null) return null
  const pinned = { repository: address.repository, commit }
  const places = placesOf(fetching.stateDir, address.repository, commit)
  const dir = smallOnly ? places.small : places.whole
  const part = (tree: Tree) => (smallOnly ? smallTree(tree) : tree)
  const listed = readListing(places)
  if (listed !== null) {
    const tree = part(listed)
    const bytes = bytesIn(listed)
    return {
      ...{ digest: tree.digest, dir, count: tree.files.length },
      files: tree.files.map(({ path }) => path),
      hub: {
        origin: { from, commit, bytes },
        tree,
        bytes,
        isHere: () => isWhole(dir, tree),
        bring: (signal) => (smallOnly ? Promise.resolve() : bringModel(pinned, tree, fetching, signal)),
      },
    }
  }
  const { digest, files, bytes, commit: lockedCommit } = ofSameAddress(from, locked)
  if (smallOnly || typeof digest !== 'string' || lockedCommit !== commit) return null
  const size = typeof bytes === 'number' ? bytes : null
  return {
    digest: digest as Digest,
    dir,
    count: typeof files === 'number' ? files : 0,
    get files() {
      return (readListing(places)?.files ?? []).map(({ path }) => path)
    },
    hub: {
      origin: { from, commit, ...(size === null ? {} : { bytes: size }) },
      tree: null,
      bytes: size,
      isHere: () => false,
      bring: async (signal) => {
        const tree = await listModel(pinned, fetching, signal)
        if (tree.digest !== digest)
          throw new HubTrouble(
            'request',
            `${address.repository} at ${commit.slice(0, 8)} does not hold what the lock says`,
            'sluice lock --update takes what the hub has now',
          )
        await bringModel(pinned, tree, fetching, signal)
      },
    },
  }
}
