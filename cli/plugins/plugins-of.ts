/** Has the project plugins? Most have none, and save the time that it takes to read about them and to check them. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CONFIG_FILE } from '../config-file.ts'
import type { Extended, Loaded } from './load.ts'

/** `builtIn` is what there is without plugins; it comes back with those of the project added. */
export async function pluginsOf(root: string, buildDir: string, builtIn: Extended): Promise<Loaded> {
  const path = join(root, CONFIG_FILE)
  if (!existsSync(path) || !readFileSync(path, 'utf8').includes('plugins'))
    return { environment: builtIn, digests: [], diagnostics: [] }
  const [{ readConfig }, { loadPlugins }] = await Promise.all([import('../config.ts'), import('./load.ts')])
  return loadPlugins({ root, buildDir, builtIn, config: readConfig(root) })
}
