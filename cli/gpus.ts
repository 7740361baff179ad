/** The GPUs that this process may use, by the names that `CUDA_VISIBLE_DEVICES` knows. */
import { execFileSync } from 'node:child_process'

export interface Gpu {
  readonly name: string
  /** 0 where nobody could tell. */
  readonly memoryBytes: number
}

interface Installed extends Gpu {
  readonly uuid: string
}

/** All that nvidia-smi lists, or of these what `CUDA_VISIBLE_DEVICES` leaves over. None without an NVIDIA driver. */
export function gpus(env: NodeJS.ProcessEnv): readonly Gpu[] {
  return visible(installed(), env['CUDA_VISIBLE_DEVICES'])
}

/** As CUDA reads the variable: what comes after the first name that it does not know counts as hidden. */
export function visible(all: readonly Installed[], variable: string | undefined): readonly Gpu[] {
  if (variable === undefined) return all
  const seen: Gpu[] = []
  for (const word of variable.split(',').map((each) => each.trim())) {
    const found = all.find(
      ({ name, uuid }) => name === word || (word.startsWith('GPU-') && uuid.startsWith(word)),
    )
    // A slice of a GPU is not in the list, and only its driver knows its size.
    const slice = all.length > 0 && word.startsWith('MIG-') ? { name: word, memoryBytes: 0 } : null
    const gpu = found === undefined ? slice : { name: word, memoryBytes: found.memoryBytes }
    if (gpu === null || seen.some(({ name }) => name === word)) break
    seen.push(gpu)
  }
  return seen
}

function installed(): readonly Installed[] {
  try {
    const args = ['--query-gpu=index,uuid,memory.total', '--format=csv,noheader,nounits']
    const listed = execFileSync('nvidia-smi', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    return listed.split('\n').flatMap((line) => {
      const [name = '', uuid = '', mebibytes = ''] = line.split(',').map((cell) => cell.trim())
      const memoryBytes = (Number.parseInt(mebibytes, 10) || 0) * 2 ** 20
      return /^\d+$/.test(name) ? [{ name, uuid, memoryBytes }] : []
    })
  } catch {
    return []
  }
}
