/** Each text rule does what it says and leaves its neighbours alone. */
import { expect, test } from 'vitest'
import { groupKey } from '../../workers/protocol/group-key.ts'
import {
  prefixStripper,
  removeControls,
  sameText,
  termReplacer,
  unifySpaces,
  unifyWidth,
} from '../../workers/text/normalize.ts'

test.each([
  ['你好,请问?', '你好，请问？'],
  ['你好, 请问', '你好，请问'],
  ['医保(居民)怎么交', '医保（居民）怎么交'],
  ['２０３０年Ａ卡', '2030年A卡'],
  ['时间:上午9:30', '时间：上午9:30'],
  ['1,000元', '1,000元'],
  ['调用f(x)函数', '调用f(x)函数'],
  ['Hello, world? ＡＢＣ', 'Hello, world? ＡＢＣ'],
  ['第一行!\n第二行;', '第一行！\n第二行；'],
  ['真的?!', '真的？！'],
])('width: %s → %s', (before, after) => {
  expect(unifyWidth(before)).toBe(after)
  expect(unifyWidth(after)).toBe(after)
})

test('spaces: one inside, none outside, indentation of code stays', () => {
  expect(unifySpaces('\u3000 a  b\u00a0c \r\n    indented\r\n\n\n\nend \n')).toBe(
    'a b c\n    indented\n\nend',
  )
})

test('controls go, joined emoji and tabs stay', () => {
  expect(removeControls('\ufeffa\u0000b\u200bc\u202e\td\n👨‍👩‍👧')).toBe('abc\td\n👨‍👩‍👧')
})

test('prefixes: repeated, either colon, any case, only at the start', () => {
  const strip = prefixStripper(['问：', '用户问：', 'Q:'])
  expect(strip('用户问: 问：怎么退款')).toBe('怎么退款')
  expect(strip('q： how')).toBe('how')
  expect(strip('我问：怎么退款')).toBe('我问：怎么退款')
  expect(strip('问一下')).toBe('问一下')
  expect(prefixStripper([])('问：')).toBe('问：')
})

test('terms: longest first, whole Latin words, right forms left alone, counted', () => {
  const counts: string[] = []
  const replace = termReplacer({ 帐户: '账户', 医保: '医保卡', app: 'App', 帐: '账' })
  const apply = (text: string): string => replace(text, (wrong) => counts.push(wrong))
  expect(apply('帐户和帐本')).toBe('账户和账本')
  expect(apply('医保卡，医保')).toBe('医保卡，医保卡')
  expect(apply('app apple 用app')).toBe('App apple 用App')
  expect(counts).toEqual(['帐户', '帐', '医保', 'app', 'app'])
})

test('keys: what is the same, and what is not', () => {
  expect(sameText('怎么 退款？？')).toBe(sameText('怎么退款'))
  expect(sameText('Ｈello  World!')).toBe('hello world')
  expect(sameText('C# 是什么')).not.toBe(sameText('C 是什么'))
  expect(sameText('涨了5.0')).not.toBe(sameText('涨了50'))
  expect(groupKey('怎么，退款？')).toBe('怎么退款')
  expect(groupKey('???')).toBe('???')
})
