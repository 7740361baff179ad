/** HTML out of a text: what goes, what stays, what is a page. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { withoutHtml } from '../../workers/text/html.ts'

test.each([
  ['<p>您好，<b>请</b>稍候。</p>', '您好，请稍候。'],
  ['第一步<br/>第二步<BR>第三步', '第一步\n第二步\n第三步'],
  ['<ul>\n  <li>身份证</li>\n  <li>照片</li>\n</ul>', '身份证\n照片'],
  ['<tr><td>a</td><td>b</td></tr>', 'a  b'],
  ['<a href="https://x.example/?a=1>2" title=\'>\'>官网</a>可查', '官网可查'],
  ['A&nbsp;&amp;&#20320;&#x597d;&hellip;', 'A &你好…'],
  ['&amp;lt;p&amp;gt;', '&lt;p&gt;'],
  ['&lt;b&gt; 是加粗', '<b> 是加粗'],
  ['x<!-- <p>旧</p> -->y<script type="a">if (a<b) {}</script>z<style>p{}</style>', 'xyz'],
  ['<!DOCTYPE html><html><body>好</body></html>', '好'],
])('%s', (html, text) => expect(withoutHtml(html)).toEqual({ text, mostlyMarkup: false }))

test.each([
  'a < b 且 b > c',
  'List<T> 与 <姓名>',
  '用户<name>的订单',
  'AT&T、R&D、&unknown; &#0; &#xd800;',
  '1 <2> 3',
  '<!-- 没有结束',
  '  缩进\n\n  不动  ',
])('%s stays', (text) => expect(withoutHtml(text)).toEqual({ text, mostlyMarkup: false }))

test('an element that is never closed hides nothing', () => {
  expect(withoutHtml('<script> 放在哪里？').text).toBe('放在哪里？')
})

test('nothing but markup, or a page of it', () => {
  expect(withoutHtml('<div><br></div>').mostlyMarkup).toBe(true)
  expect(withoutHtml('<p>是</p>').mostlyMarkup).toBe(false)
  const link = '<li><a class="nav" href="/page">链接</a></li>'
  expect(withoutHtml(link.repeat(3)).mostlyMarkup).toBe(false)
  expect(withoutHtml(link.repeat(10)).mostlyMarkup).toBe(true)
  expect(withoutHtml('').mostlyMarkup).toBe(false)
})

test('any text is read, and what is left has no tag that was there', () => {
  const piece = fc.constantFrom(
    '<p>',
    '</p>',
    '<',
    '>',
    '"',
    '<!--',
    '-->',
    '<script',
    '</script>',
    '&',
    'amp;',
    '好',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      expect(withoutHtml(pieces.join('')).text.length).toBeLessThanOrEqual(pieces.join('').length)
    }),
  )
  // Would take minutes if each opening looked for its end anew.
  expect(withoutHtml('<!--'.repeat(250_000)).text).toHaveLength(1_000_000)
  expect(withoutHtml('<a "'.repeat(250_000)).text.length).toBeGreaterThan(0)
})
