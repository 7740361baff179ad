/** The catalogue explains exactly the codes that the compiler can say. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { catalogue } from '../../dsl/catalogue.ts'

it('explains every code, and no other', () => {
  const folder = join(import.meta.dirname, '../../dsl/problems')
  const text = readdirSync(folder)
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('')
  const codes = new Set([...text.matchAll(/'([EW]\d{3})'/g)].map((match) => match[1]))
  expect(Object.keys(catalogue).sort()).toEqual([...codes].sort())
})

it.each(Object.entries(catalogue))('%s says all four things', (_, explanation) => {
  for (const text of Object.values(explanation)) expect(text).not.toBe('')
  expect(explanation.wrong).not.toBe(explanation.right)
})
