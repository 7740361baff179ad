/** The tables of other tools' names lead to options that exist, and call nothing absent that does. */
import { expect, it } from 'vitest'
import { ABSENT_OPTIONS, METRIC_ALIASES, OPTION_ALIASES } from '../../dsl/aliases.ts'
import { propertiesOf } from '../../dsl/options.ts'
import { stageKinds } from '../../stages/catalogue.ts'

const options = new Set(Object.values(stageKinds).flatMap((kind) => Object.keys(propertiesOf(kind.options))))
const metrics = new Set(Object.values(stageKinds).flatMap((kind) => Object.keys(kind.measurable ?? {})))

it('every alias leads to an option or a metric', () => {
  expect(Object.entries(OPTION_ALIASES).filter(([, { ours }]) => !options.has(ours))).toEqual([])
  expect(Object.entries(METRIC_ALIASES).filter(([, { ours }]) => !metrics.has(ours))).toEqual([])
})

it('no name of ours stands in the tables', () => {
  const others = [...Object.keys(OPTION_ALIASES), ...Object.keys(ABSENT_OPTIONS)]
  expect(others.filter((name) => options.has(name))).toEqual([])
  expect(Object.keys(OPTION_ALIASES).filter((name) => name in ABSENT_OPTIONS)).toEqual([])
})
