/** A command that a help names, with the file where the project has several: as it can be typed. */
import type { Project } from './project.ts'
import { pipelineFiles } from './project.ts'

export function toType(words: string, { root, file }: Pick<Project, 'root' | 'file'>): string {
  const files = pipelineFiles(root)
  const isOnly = files.length === 1 && files[0] === file
  return isOnly ? `sluice ${words}` : `sluice ${words} -f ${file}`
}
