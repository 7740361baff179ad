/** Every mistake of the catalogue as a file, with the exact text that people get to see. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { renderDiagnostics } from '../../cli/reports/diagnostics.ts'
import { catalogue } from '../../dsl/catalogue.ts'
import { compile } from '../../dsl/compile.ts'
import { LANGUAGES } from '../../dsl/words.ts'
import { stageKinds } from '../../stages/catalogue.ts'

const folder = join(import.meta.dirname, 'bad')
const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'))

function diagnose(file: string) {
  const text = readFileSync(join(folder, file), 'utf8')
  return compile({ path: file, text }, stageKinds)
}

describe('bad files', () => {
  it.each(files)('%s', async (file) => {
    const { value, diagnostics } = diagnose(file)
    const code = file.slice(0, 4)
    if (/^[EW]\d/.test(file)) expect(diagnostics.map((each) => each.code)).toContain(code)
    expect(value === undefined).toBe(diagnostics.some((each) => each.severity === 'error'))
    for (const language of LANGUAGES) {
      const rendered = renderDiagnostics(diagnostics, { color: false, language })
      const golden = file.replace(/\.yaml$/, language === 'en' ? '.txt' : `.${language}.txt`)
      await expect(rendered).toMatchFileSnapshot(join(folder, golden))
    }
  })

  it('covers every code of the catalogue that a file with our stage kinds can cause', () => {
    const seen = new Set(files.flatMap((file) => diagnose(file).diagnostics.map((each) => each.code)))
    expect(Object.keys(catalogue).filter((code) => !seen.has(code))).toEqual(['E122', 'E310'])
  })
})
