/** Names of the things that problems talk about. */
import type { Dimension } from '../expression/syntax.ts'
import type { ArtifactType, Json } from '../stage-signature.ts'
import type { Words } from '../words.ts'
import { words } from './problem.ts'

/** Kinds of values. */
export const A = {
  none: words('none', '空值'),
  list: words('a list', '列表'),
  map: words('a map', '键值表'),
  number: words('a number', '数字'),
  text: words('text', '文本'),
  truth: words('true or false', '布尔值'),
  whole: words('a whole number', '整数'),
} satisfies Readonly<Record<string, Words>>

export function kindOf(value: Json): Words {
  if (value === null) return A.none
  if (Array.isArray(value)) return A.list
  if (typeof value === 'number') return A.number
  if (typeof value === 'boolean') return A.truth
  return typeof value === 'string' ? A.text : A.map
}

/** Things of the file that have names or keys. */
export const THINGS = {
  axis: 'matrix 的轴',
  cache: 'cache',
  config: '配置文件',
  defaults: 'defaults',
  'gate test': 'gate 测试',
  given: 'given',
  mutex: '锁',
  notify: '通知',
  parameter: '参数',
  pipeline: '流水线',
  resource: '资源',
  resources: 'resources',
  retry: 'retry',
  schema: 'schema 里',
  source: '来源',
  split: '数据划分',
  stage: '阶段',
  trust: 'trust',
  worker: 'worker',
} as const
export type Thing = keyof typeof THINGS

export const DIMENSIONS: Readonly<Record<Dimension, Words>> = {
  num: words('a plain number', '不带单位的数字'),
  s: words('a duration', '时长'),
  B: words('a size', '大小'),
}

/** Types are words of the language, so Chinese keeps them. */
export function artifact(type: ArtifactType): Words {
  if (['tokens', 'metrics', 'samples', 'files', 'ratings'].includes(type)) return words(type, type)
  return words(type === 'adapter' ? 'an adapter' : `a ${type}`, type)
}
