/** A little data to begin with: enough to see every stage work, too little to learn anything of use. */

export function englishRows(): string {
  const answers: readonly (readonly [string, readonly string[]])[] = [
    [
      'We are open from nine to six on weekdays.',
      [
        'When are you open?',
        'What are your opening hours?',
        'Are you open on weekdays?',
        'From when to when can I come?',
      ],
    ],
    [
      'You can return an item within thirty days.',
      [
        'Can I return an item?',
        'How long may I return something?',
        'What is the return period?',
        'Until when can items be returned?',
      ],
    ],
    [
      'Delivery takes two working days.',
      [
        'How long does delivery take?',
        'When will my delivery arrive?',
        'Is delivery fast?',
        'How many days until delivery?',
      ],
    ],
    [
      'Invoices are sent by mail after the purchase.',
      [
        'Where is my invoice?',
        'How do I get an invoice?',
        'Do you send invoices?',
        'I need the invoice for my purchase',
      ],
    ],
  ]
  return answers
    .flatMap(([response, prompts]) => prompts.map((prompt) => `${JSON.stringify({ prompt, response })}\n`))
    .join('')
}

export function englishCorpus(): string {
  return `The shop opens at nine in the morning on weekdays and closes at six in the evening.

An item that does not please may be brought back within thirty days, and the price is returned.

Parcels leave the same evening; a delivery arrives after two working days.

After every purchase an invoice is written and sent by mail to the buyer.
`
}

export function chineseRows(): string {
  const answers: readonly (readonly [string, readonly string[]])[] = [
    [
      '工作日早上九点到下午六点营业。',
      ['几点开门？', '营业时间是什么时候？', '工作日开门吗？', '什么时间可以来？'],
    ],
    [
      '三十天之内可以退货。',
      ['可以退货吗？', '多久之内能退？', '退货期限是多长？', '东西什么时候之前可以退？'],
    ],
    ['两个工作日送到。', ['送货要多久？', '什么时候送到？', '配送快吗？', '几天能收到？']],
    ['购买之后发票会用邮件寄出。', ['发票在哪里？', '怎么开发票？', '会寄发票吗？', '我需要这次购买的发票']],
  ]
  return answers
    .flatMap(([response, prompts]) => prompts.map((prompt) => `${JSON.stringify({ prompt, response })}\n`))
    .join('')
}

export function chineseCorpus(): string {
  return `小店工作日早上九点开门，下午六点关门。

买到的东西不满意，三十天之内可以拿回来，货款退还。

包裹当天晚上寄出，两个工作日之后送到。

每次购买之后都会开好发票，用邮件寄给买家。
`
}
