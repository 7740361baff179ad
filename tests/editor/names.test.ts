/** Hovers, definitions, references, renames and the outline, on texts and without pipes. */
import { describe, expect, it } from 'vitest'
import { compile } from '../../dsl/compile.ts'
import type { Facts } from '../../editor/facts.ts'
import type { TextEdit } from '../../editor/protocol.ts'
import type { View } from '../../editor/view.ts'
import { definitionAt, referencesAt } from '../../editor/navigate.ts'
import { renamableAt, renameAt } from '../../editor/rename.ts'
import { symbolsOf } from '../../editor/symbols.ts'
import { stageKinds } from '../../stages/catalogue.ts'
import { edited, FILE, GOOD, hovered, pipelineText, viewOf } from './looking.ts'

const facts: Facts = {
  scores: {
    eval: { ruler: 'sha256:e77a4c1f00aa55bb', values: { bleu: 0.317, perplexity: null } },
    'eval-base': { ruler: 'sha256:e77a4c1f00aa55bb', values: { bleu: 0.284 } },
  },
  states: {
    'lora-train': { status: 'done', startedAt: '2026-11-17T09:03:11.000Z', durationMs: 75_300 },
    'eval[r=4]': { status: 'failed', startedAt: null, durationMs: null },
    gate: { status: 'undecided', startedAt: null, durationMs: null },
  },
}

describe('a hover tells', () => {
  it.each([
    ['a key of the language', 'baseline: eval', 'base|line: eval', /^\*\*baseline\*\*[^]*yardstick/],
    ['a key at the top', 'flow: clean', 'fl|ow: clean', /graph in a line/],
    ['the short form of a source', 'data: data/', 'da|ta: data/', /short for a source/],
    ['an option', 'r: 8', '|r: 8', /\*\*r\*\* · `integer, 1 … 1024` · default `8`[^]*Rank/],
    ['the choices of an option', 'bleu_tokenizer: zh', 'bleu_tok|enizer: zh', /`13a \| zh \| char \| none`/],
    ['a value by its option', 'bleu_tokenizer: zh', 'bleu_tokenizer: z|h', /\*\*bleu_tokenizer\*\*/],
    [
      'a metric that is switched on',
      '[perplexity, bleu]',
      '[perplexity, bl|eu]',
      /BLEU[^]*higher is better · 0 … 1/,
    ],
    ['a metric in a check', '- bleu better', '- bl|eu better', /higher is better/],
    ['a metric of another stage', 'eval-base.perplexity', 'eval-base.perp|lexity', /lower is better · 1 … ∞/],
    ['a stage in a check', 'eval-base.perplexity', 'eval-|base.perplexity', /\*\*eval-base\*\* · eval@1/],
    ['a space in a check', 'better than baseline', 'better than base|line', /the stage named as baseline/],
    [
      'a stage in the flow line',
      '-> lora-train',
      '-> lora|-train',
      /Learns a LoRA adapter[^]*makes: `adapter` adapter/,
    ],
    ['a stage at its settings', '  gate:\n', '  ga|te:\n', /\*\*gate\*\*@1.0.0 · gate/],
    ['a reference', 'tokenize.tokens', 'token|ize.tokens', /\*\*tokenize\*\*/],
    ['a source', 'model: sources.base', 'model: sources.ba|se', /\*\*sources.base\*\* · source · model/],
    ['a port', 'inputs: { adapter', 'inputs: { ada|pter', /`adapter` adapter \(optional\)/],
    ['a kind', 'uses: eval\n', 'uses: ev|al\n', /\*\*eval@1.0.0\*\* · stage kind/],
    [
      'a parameter',
      '=params.rate',
      '=params.ra|te',
      /params.rate[^]*`1e-6..1e-2` · default `0.001`[^]*Learning rate/,
    ],
    ['a parameter at its place', '  rate:', '  ra|te:', /params.rate/],
  ] as const)('%s', (_, piece, marked, expected) => {
    expect(hovered(piece, marked)).toMatch(expected)
  })

  it('the last value of a metric, and its ruler', () => {
    expect(hovered('- bleu better', '- bl|eu better', { facts })).toContain(
      'last: **0.317** (eval) · ruler `sha256:e77a4c1f0…`',
    )
    const baseline = 'require: baseline.bleu < 1'
    const text = GOOD.replace('require: perplexity < eval-base.perplexity', baseline)
    expect(hovered(baseline, 'require: baseline.bl|eu < 1', { facts, text })).toContain(
      '**0.284** (eval-base)',
    )
    expect(hovered('perplexity < eval', 'perpl|exity < eval', { facts })).toContain('last: **NaN**')
  })

  it('what became of a stage', () => {
    expect(hovered('-> lora-train', '-> lora|-train', { facts })).toContain(
      'last run: **done** · 75.3 s · 2026-11-17 09:03Z',
    )
    expect(hovered('  eval:\n', '  ev|al:\n', { facts })).toContain('last run `[r=4]`: **failed**')
    expect(hovered('  gate:\n', '  ga|te:\n', { facts })).toContain('last run: **undecided**')
  })

  it('it in Chinese', () => {
    const language = 'zh'
    expect(hovered('- bleu better', '- bl|eu better', { facts, language })).toMatch(
      /越大越好[^]*上次: .*尺子/,
    )
    expect(hovered('flow: clean', 'fl|ow: clean', { language })).toContain('流程图')
  })

  it('nothing between things, in comments, and of broken files', () => {
    expect(hovered('flow:', '# fl|ow\nflow:')).toBeNull()
    expect(hovered('name: demo', 'name: de|mo: {')).toBeNull()
  })
})

/** `3: the line`, of the place that is found. */
function lineAt(text: string, line: number | undefined): string | null {
  return line === undefined ? null : (text.split('\n')[line] ?? '').trim()
}

describe('a definition', () => {
  it.each([
    ['from the flow line', '-> [eval, eval-base]', '-> [eval, eval|-base]', 'eval-base:'],
    ['from a baseline', 'baseline: eval-base', 'baseline: eval|-base', 'eval-base:'],
    ['from a check', 'eval-base.perplexity', 'eval-|base.perplexity', 'eval-base:'],
    ['from a condition', 'when: gate.failed', 'when: ga|te.failed', 'gate:'],
    [
      'of a stage without settings',
      'needs: [clean]',
      'needs: [cle|an]',
      'flow: clean -> split -> tokenize -> lora-train -> [eval, eval-base] -> gate',
    ],
    [
      'of a parameter',
      '=params.rate',
      '=params.ra|te',
      'rate: { default: 1e-3, range: 1e-6..1e-2, description: Learning rate. }',
    ],
    [
      'of a source',
      'model: sources.base',
      'model: sources.b|ase',
      'base: { type: model, from: models/base/* }',
    ],
  ] as const)('%s', (_, piece, marked, expected) => {
    const { text, offset } = edited(piece, marked)
    expect(lineAt(text, definitionAt(viewOf(text), offset)?.range.start.line)).toBe(expected)
  })

  it('of what is none', () => {
    const { text, offset } = edited('- bleu better', '- bl|eu better')
    expect(definitionAt(viewOf(text), offset)).toBeNull()
  })
})

describe('references', () => {
  it('are all places, in order', () => {
    const { text, offset } = edited('baseline: eval-base', 'baseline: eval|-base')
    const view = viewOf(text)
    const lines = (declaration: boolean) =>
      referencesAt(view, offset, declaration).map(({ range }) => lineAt(text, range.start.line))
    const read = [
      'flow: clean -> split -> tokenize -> lora-train -> [eval, eval-base] -> gate',
      'baseline: eval-base',
      '- require: perplexity < eval-base.perplexity',
    ]
    expect(lines(false)).toEqual(read)
    expect(lines(true)).toEqual([read[0], 'eval-base:', ...read.slice(1)])
  })
})

function renamed(piece: string, marked: string, newName: string, original = GOOD): string {
  const { text, offset } = edited(piece, marked, original)
  const view = viewOf(text)
  const result = renameAt(view, offset, newName)
  if ('refused' in result) return `refused: ${result.refused.en}`
  return applied(text, view, result.edits)
}

function applied(text: string, { document }: View, edits: readonly TextEdit[]): string {
  return [...edits]
    .map(({ range, newText }) => ({
      start: document.offsetAt(range.start),
      end: document.offsetAt(range.end),
      newText,
    }))
    .sort((a, b) => b.start - a.start)
    .reduce((sum, { start, end, newText }) => sum.slice(0, start) + newText + sum.slice(end), text)
}

/** What a pipeline does, stage by stage, with one of them under another name. */
function meaning(text: string, from: string, to: string): readonly string[] {
  const { value, diagnostics } = compile({ path: FILE, text }, stageKinds)
  if (value === undefined) throw new Error(diagnostics.map(({ message }) => message.en).join('\n'))
  const known = (name: string | null | undefined): string => (name === from ? to : (name ?? '-'))
  return value.stages
    .map(({ name, uses, with: options, inputs, after, gate }) => {
      const wires = Object.entries(inputs).map(([port, each]) =>
        each.type === 'source'
          ? `${port}=sources.${each.source}`
          : `${port}=${known(each.stage)}.${each.port}`,
      )
      const judged = `${known(gate?.judged)} ${known(gate?.baseline)} ${String(gate?.checks.length)}`
      return `${known(name)} ${uses} ${JSON.stringify(options)} ${wires.sort().join()} ${after.map(known).sort().join()} ${judged}`
    })
    .sort()
}

describe('a rename', () => {
  it('reaches every place, and spells the kind out', () => {
    const text = renamed('  eval:\n', '  ev|al:\n', 'score')
    expect(text).toContain('-> [score, eval-base] -> gate')
    expect(text).toContain('  score:\n    uses: eval\n    with: { metrics')
    // The kind of the others keeps its name.
    expect(text).toContain('  eval-base:\n    uses: eval\n')
    expect(viewOf(text).diagnostics).toEqual([])
  })

  it('of a stage in checks, baseline, needs and conditions', () => {
    const base = renamed('baseline: eval-base', 'baseline: eval|-base', 'before')
    expect(base).toContain('baseline: before')
    expect(base).toContain('require: perplexity < before.perplexity')
    expect(renamed('  gate:\n', '  ga|te:\n', 'quality')).toContain('when: quality.failed and')
    expect(renamed('-> gate\n', '-> ga|te\n', 'quality')).toContain(
      '  quality:\n    uses: gate\n    baseline',
    )
    const clean = renamed('needs: [clean]', 'needs: [cl|ean]', 'tidy')
    expect(clean).toContain('flow: tidy -> split')
    expect(clean).toContain('stages:\n  tidy: { uses: clean }\n  split:')
    for (const text of [base, clean]) expect(viewOf(text).diagnostics).toEqual([])
  })

  it('of a stage whose settings stand in braces, or nowhere', () => {
    const inBraces = GOOD.replace(
      '  split:\n    with: { train: 80%, test: 20% }',
      '  split: { with: { test: 20% } }',
    )
    expect(renamed('-> split', '-> sp|lit', 'parts', inBraces)).toContain(
      '  parts: { uses: split, with: { test',
    )
    const empty = GOOD.replace('  again:', '  clean:\n  again:')
    expect(renamed('flow: clean', 'flow: cl|ean', 'tidy', empty)).toContain(
      '  tidy: { uses: clean }\n  again:',
    )
    const short = 'version: 1\nname: demo\ndata: d\nflow: clean -> split'
    expect(renamed('clean', 'cl|ean', 'tidy', short)).toBe(
      'version: 1\nname: demo\ndata: d\nflow: tidy -> split\nstages:\n  tidy: { uses: clean }\n',
    )
  })

  it('of parameters and sources', () => {
    const rate = renamed('=params.rate', '=params.ra|te', 'lr')
    expect(rate).toContain('  lr: { default: 1e-3')
    expect(rate).toContain('lr: =params.lr\n')
    expect(renamed('=params.rate', '=params.ra|te', 'learning_rate')).toContain('=params.learning_rate')
    const base = renamed('  base:', '  ba|se:', 'llama')
    expect(base.match(/sources\.llama/g)).toHaveLength(2)
    expect(viewOf(base).diagnostics).toEqual([])
  })

  it.each([
    ['a bad name', 'Score!', /refused: 'Score!' cannot be a name: .* for example score/],
    ['an empty name', '', /refused: '' cannot be a name/],
    ['a taken name', 'eval-base', /refused: 'eval-base' is taken/],
    ['a word of checks', 'main', /refused: 'main' has a meaning/],
    ['the word for the twin', 'untuned', /refused: 'untuned' has a meaning/],
  ])('refuses %s', (_, name, expected) => {
    expect(renamed('  eval:\n', '  ev|al:\n', name)).toMatch(expected)
  })

  it('refuses what is no name, what cannot be read, and keys of the language', () => {
    expect(renamed('version: 1', 'ver|sion: 1', 'x')).toMatch(/refused: there is no stage/)
    expect(renamed('name: demo', 'na|me: demo: {', 'x')).toMatch(/refused: the file cannot be read/)
    expect(renamed('data: data', 'da|ta: data', 'rows')).toMatch(/refused: 'data:' at the top/)
    const { text, offset } = edited('version: 1', 'ver|sion: 1')
    expect(renamableAt(viewOf(text), offset)).toHaveProperty('refused')
  })

  it('asks the compiler before anything changes', () => {
    // In a check `train.loss` is a fact of the training, unless a stage is called so.
    const text = GOOD.replace('      - bleu better than baseline\n', '      - train.loss <= 2\n')
    expect(viewOf(text).diagnostics).toEqual([])
    expect(renamed('  eval-base:\n', '  eval|-base:\n', 'train', text)).toMatch(
      /^refused: that name would break the file: train does not measure 'loss'/,
    )
  })

  it.each(['support-zh', 'faq-en'])('of any stage leaves %s what it is', (name) => {
    const text = pipelineText(name)
    const path = `pipelines/${name}.pipeline.yaml`
    const view = viewOf(text, path)
    const original = (from: string, to: string) =>
      meaning(text.replace(`name: ${name}`, 'name: demo'), from, to)
    expect(view.outline.stages.size).toBeGreaterThan(6)
    for (const { name: stage, span } of view.outline.stages.values()) {
      const result = renameAt(view, span.start + 1, 'another-name')
      if ('refused' in result) throw new Error(result.refused.en)
      const after = applied(text, view, result.edits).replace(`name: ${name}`, 'name: demo')
      expect(meaning(after, '', '')).toEqual(original(stage, 'another-name'))
    }
  })
})

describe('the outline', () => {
  it('shows the file as people think of it', () => {
    const symbols = symbolsOf(viewOf(GOOD))
    expect(symbols.map(({ name }) => name)).toEqual([
      'version',
      'name',
      'params',
      'data',
      'sources',
      'flow',
      'stages',
    ])
    const stages = symbols.at(-1)?.children ?? []
    expect(stages.map(({ name, detail }) => [name, detail])).toEqual([
      ['split', undefined],
      ['lora-train', undefined],
      ['eval', undefined],
      ['eval-base', 'eval'],
      ['gate', undefined],
      ['again', 'eval'],
    ])
    const checks = stages.find(({ name }) => name === 'gate')?.children?.[0]?.children
    expect(checks?.map(({ name }) => name)).toEqual([
      'bleu better than baseline',
      'perplexity < eval-base.perplexity',
      'warn: bleu >= 0.30',
    ])
    for (const { range, selectionRange } of stages) {
      expect(range.start).toEqual(selectionRange.start)
      expect(range.end.line).toBeGreaterThanOrEqual(selectionRange.end.line)
    }
  })

  it('is empty for what cannot be read', () => {
    expect(symbolsOf(viewOf('a: {'))).toEqual([])
  })
})
