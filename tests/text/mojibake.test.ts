/** Mojibake is repaired where that is certain, and ordinary text of any language is never touched. */
import { expect, test } from 'vitest'
import { encodeGbk } from '../../workers/text/gbk.ts'
import { inspectMojibake } from '../../workers/text/mojibake.ts'

const GOOD = [
  '你好',
  '怎么修改收货地址？',
  '养老金最低缴费年限现在是十五年，从2030年起每年提高六个月。',
  '医保卡丢了，去哪儿补办？',
  '退款一般在3—5个工作日内原路返回。',
  '您好，请问有什么可以帮您的吗',
  '如果对处理结果不满意，可以申请复核。',
  '前总理朱镕基昨天出席了会议。',
]

const readAs = (encoding: string, bytes: Uint8Array): string => new TextDecoder(encoding).decode(bytes)
/** As Windows programs read bytes; Node 20's own decoder of that name reads Latin-1. */
const CP1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ'
const windows = (bytes: Uint8Array): string =>
  latin1(bytes).replace(/[\u0080-\u009f]/g, (char) => CP1252[char.charCodeAt(0) - 0x80] ?? char)
const latin1 = (bytes: Uint8Array): string => [...bytes].map((byte) => String.fromCharCode(byte)).join('')
const gbk = (text: string): Uint8Array => encodeGbk(text, null) ?? new Uint8Array()

test.each(GOOD)('all three accidents are undone: %s', (text) => {
  const utf8 = new TextEncoder().encode(text)
  expect(inspectMojibake(latin1(utf8))).toMatchObject({ type: 'repaired', text })
  expect(inspectMojibake(windows(utf8))).toMatchObject({ type: 'repaired', text })
  expect(inspectMojibake(latin1(gbk(text)))).toMatchObject({ type: 'repaired', text })
  const inGbk = readAs('gbk', utf8)
  // The wrong decoder loses bytes of about every second text; such a text must be found, if not repaired.
  const expected = inGbk.includes('\ufffd') ? { type: 'garbled' } : { type: 'repaired', text }
  expect(inspectMojibake(inGbk)).toMatchObject(expected)
})

test.each([
  ['浣犲ソ', '你好'],
  ['ÄãºÃ', '你好'],
  ['ä½\u00a0å¥½', '你好'],
  // The no-break space was tidied into a plain one.
  ['ä½ å¥½', '你好'],
  ['浣犲ソ\n你好', '你好\n你好'],
])('%s is %s', (broken, text) => {
  expect(inspectMojibake(broken)).toMatchObject({ type: 'repaired', text })
})

test.each([
  ['锟斤拷锟斤拷', /锟斤拷/],
  ['请问\ufffd\ufffd怎么办', /replacement/],
  ['ï¿½ï¿½', /replacement/],
  ['烫烫烫烫烫烫', /memory/],
  ['图标\ue001在这里', /private-use/],
  ['半个\ud83d', /surrogate/],
  ['浣犲ソ鍚?', /bytes lost/],
])('%s cannot be repaired', (text, kind) => {
  expect(inspectMojibake(text)).toMatchObject({
    type: 'garbled',
    kind: expect.stringMatching(kind) as string,
  })
})

test.each([
  ...GOOD,
  '联通',
  '茅台酒多少钱一瓶',
  '锂电池、蜘蛛、囧、犇、淼',
  '鍋爐與電腦的維修費用是多少？',
  '東京都に住んでいます。カタカナもあります。',
  '안녕하세요',
  'Привет, как дела?',
  'Ελληνικά',
  "Où est le café ? L'élève a été reçu à Noël, « déjà » vu…",
  'créée, ÀÉ, ÇA, naïve, Ångström, Größenmaßstäbe, São João',
  'ÀÉÈÙ',
  'áéíóèàìò',
  'allé…»',
  // This may be 就就, but it may also be what it says.
  '灏卞氨',
  'Tiếng Việt có dấu',
  'PAPÉ’S “quotes” — dashes… £5 €10 ½ ° ±',
  '好的😀👍👨‍👩‍👧',
  'plain ASCII, 100%',
  '',
  '①②③ αβγ 5℃ ×2 ±3 → 完成',
  '他说“好的”，然后走了……',
])('%s stays as it is', (text) => {
  expect(inspectMojibake(text)).toEqual({ type: 'fine' })
})

test('no common word of two characters is taken for mojibake', () => {
  // GB 2312's common characters, paired in every way with a stride: some pairs are valid UTF-8 by chance.
  const common: string[] = []
  for (let lead = 0xb0; lead <= 0xd6; lead++) {
    for (let trail = 0xa1; trail <= 0xfe; trail++) common.push(readAs('gbk', Uint8Array.of(lead, trail)))
  }
  let state = 42
  const draw = (): string => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return common[state % common.length] ?? ''
  }
  for (let i = 0; i < 5000; i++) {
    const word = Array.from({ length: 1 + (i % 6) }, draw).join('')
    expect(inspectMojibake(word), word).toEqual({ type: 'fine' })
  }
})
