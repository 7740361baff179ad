/** Completion: what is offered at each kind of place, also in files that cannot be read, and what taking it leaves behind. */
import { describe, expect, it } from 'vitest'
import { KEYS } from '../../dsl/keys.ts'
import { stageKinds } from '../../stages/catalogue.ts'
import { completed, GOOD, viewOf } from './looking.ts'

it('the file that all this starts from is good', () => {
  expect(viewOf(GOOD).diagnostics).toEqual([])
})

describe('keys', () => {
  it('of the file, without those that are there', () => {
    const { labels, take } = completed('flow:', '|\nflow:')
    expect(labels).toEqual(['description', 'model', 'defaults', 'workers', 'notify'])
    expect(take('model')).toContain('\nmodel: \nflow:')
    expect(take('defaults')).toContain('\ndefaults:\nflow:')
  })

  it('of a stage, by its kind', () => {
    const ofStage = completed('  split:\n', '  split:\n    |\n').labels
    expect(ofStage).toEqual(expect.arrayContaining(['uses', 'matrix', 'when', 'retry', 'cache']))
    expect(ofStage).not.toContain('baseline')
    expect(ofStage).not.toContain('with')
    const ofGate = completed('    baseline: eval-base\n', '    |\n').labels
    expect(ofGate).toEqual(expect.arrayContaining(['baseline', 'metrics', 'budget']))
    expect(ofGate).not.toContain('matrix')
  })

  it('of a kind under another name', () => {
    expect(completed('  again:\n', '  again:\n    |\n').labels).not.toContain('baseline')
  })

  it('that stages may have: first those of the flow line, then kinds that are not there', () => {
    const { labels, doc } = completed('  again:', '  |\n  again:')
    expect(labels.slice(0, 2)).toEqual(['clean', 'tokenize'])
    expect(labels).toContain('pretrain')
    expect(labels).not.toContain('split')
    expect(doc('pretrain')).toContain(stageKinds['pretrain']?.summary)
  })

  it('of the options, with what they are', () => {
    const { labels, doc, take } = completed('      r: 8\n', '      r: 8\n      |\n')
    expect(labels).toContain('epochs')
    expect(labels).not.toContain('r')
    expect(doc('epochs')).toMatch(/integer, 1 … 10000.*default `3`[^]*whole train split/)
    expect(take('epochs')).toContain('      epochs: \n')
    expect(completed('train: 80%,', 'train: 80%, |').labels).toContain('validation')
  })

  it('of ports, with their types', () => {
    const { labels, doc } = completed('inputs: { adapter: none,', 'inputs: { |,')
    expect(labels).toEqual(['tokens', 'adapter'])
    expect(doc('adapter')).toContain('(optional)')
  })

  it.each([
    [
      'matrix',
      '  split:\n',
      '  split:\n    matrix:\n      |\n',
      [...Object.keys(KEYS.matrix), 'train', 'seed'],
    ],
    ['retry', '  split:\n', '  split:\n    retry: { | }\n', Object.keys(KEYS.retry)],
    ['resources', '  split:\n', '  split:\n    resources:\n      |\n', Object.keys(KEYS.resources)],
    ['cache', '  split:\n', '  split:\n    cache: { | }\n', ['also']],
    ['defaults', 'flow:', 'defaults: { | }\nflow:', Object.keys(KEYS.defaults)],
    ['a source', 'type: model, ', '|, ', ['type', 'optional']],
    ['a parameter', 'range: 1e-6..1e-2,', '|,', ['type', 'range', 'enum']],
    ['a notification', 'flow:', 'notify:\n  - |\nflow:', Object.keys(KEYS.notification)],
    ['a check', 'why: it', '| it', ['warn', 'name', 'why']],
    ['splits', 'data: data/*.jsonl', 'data: { | }', ['train', 'validation', 'test']],
  ] as const)('of %s', (_, piece, marked, expected) => {
    expect(completed(piece, marked).labels).toEqual(expect.arrayContaining([...expected]))
  })

  it('keep the colon that is there', () => {
    expect(completed('      r: 8', '      |r: 8').take('r')).toContain('      r: 8')
  })

  it('replace the word under the cursor', () => {
    const text = completed('      r: 8\n', '      r: 8\n      epo|ck\n').take('epochs')
    expect(text).toContain('      epochs: \n')
    expect(text).not.toContain('epock')
  })
})

describe('values', () => {
  it('that an option chooses from, the default first', () => {
    const { labels, take } = completed('      r: 8\n', '      r: 8\n      schedule: |\n')
    expect(labels.slice(0, 3)).toEqual(['cosine', 'linear', 'constant'])
    expect(take('linear')).toContain('schedule: linear\n')
  })

  it('with a space where it is missing', () => {
    const { take } = completed('      r: 8\n', '      r: 8\n      schedule:|\n')
    expect(take('linear')).toContain('      schedule: linear\n')
  })

  it('that are parameters', () => {
    const { labels } = completed('lr: =params.rate', 'lr: |')
    expect(labels).toEqual(expect.arrayContaining(['0.0002', '=params.rate', '=params.smoke']))
  })

  it('of a list, without those that are in it', () => {
    const { labels } = completed('metrics: [perplexity, bleu]', 'metrics: [bleu, |]')
    expect(labels.filter((label) => !label.startsWith('='))).toEqual([
      'perplexity',
      'bits_per_byte',
      'rouge_l',
      'exact_match',
      'neighbour_bleu',
      'neighbour_exact',
    ])
  })

  it('of a list below its key', () => {
    const { labels, take } = completed(
      '    with: { train: 80%',
      '    needs:\n      |\n    with: { train: 80%',
    )
    expect(labels).toContain('clean')
    expect(take('clean')).toContain('    needs:\n      - clean\n')
  })

  it('of one form or another', () => {
    const { labels } = completed('      r: 8\n', '      r: 8\n      target: |\n')
    expect(labels).toEqual(expect.arrayContaining(['all-linear', '[q_proj]']))
    expect(completed('      r: 8\n', '      r: 8\n      target: [q_proj, |]\n').labels).toContain('k_proj')
  })

  it('that are yes or no, and versions', () => {
    expect(completed('smoke: false', 'lr: { default: |').labels).toEqual([])
    expect(completed('flow:', 'sources: { x: { optional: | } }\nflow:').labels).toEqual(['false', 'true'])
    expect(completed('version: 1', 'version: |').labels).toEqual(['1'])
  })

  it.each([
    ['kinds', 'uses: eval\n', 'uses: |\n', ['eval', 'eval@1', 'select', 'gate']],
    ['the file name', 'name: demo', 'name: |', ['demo']],
    ['types of sources', 'type: model', 'type: |', ['model', 'dataset', 'corpus']],
    ['caching', '  split:\n', '  split:\n    cache: |\n', ['auto', 'off', 'refresh']],
    ['causes', '  split:\n', '  split:\n    retry: { on: [oom, |] }\n', ['worker-lost', 'timeout', 'error']],
    ['events', 'flow:', 'notify: [{ on: [|] }]\nflow:', ['gate.failed', 'waiting']],
  ] as const)('%s', (_, piece, marked, expected) => {
    expect(completed(piece, marked).labels).toEqual(expect.arrayContaining([...expected]))
  })

  it('that select chooses by', () => {
    const text = GOOD.replace(
      '  again:',
      '  pick:\n    uses: select\n    with: { by: x, tie: y }\n  swept:\n    uses: clean\n    matrix: { r: [1] }\n  again:',
    )
    expect(completed('by: x', 'by: |', text).labels).toEqual(
      expect.arrayContaining(['best perplexity', 'best bleu']),
    )
    expect(completed('tie: y', 'tie: |', text).labels).toEqual(
      expect.arrayContaining(['smallest r', 'largest r']),
    )
  })
})

describe('references', () => {
  it('to outputs and sources of the right type, or to nothing', () => {
    expect(completed('adapter: none', 'adapter: |').labels).toEqual(['lora-train.adapter', 'none'])
    expect(completed('model: sources.base', 'model: |').labels).toEqual(['sources.base'])
    expect(completed('model: sources.base', 'model: sou|').take('sources.base')).toContain(
      'model: sources.base }',
    )
  })

  it('to stages', () => {
    expect(completed('needs: [clean]', 'needs: [clean, |]').labels).toEqual(
      expect.arrayContaining(['split', 'gate', 'eval']),
    )
    expect(completed('needs: [clean]', 'needs: [clean, |]').labels).not.toContain('clean')
    expect(completed('baseline: eval-base', 'baseline: |').labels).toEqual([
      'eval',
      'eval-base',
      'again',
      'untuned',
    ])
  })

  it('in the flow line, arrows included', () => {
    expect(completed('-> gate\n', '-> gate |\n').labels).toEqual(['->'])
    expect(completed('-> gate\n', '-> |\n').labels[0]).toBe('gate')
    expect(completed('-> gate\n', '-> [ga|\n').take('gate')).toContain('-> [gate\n')
    expect(completed('-> [eval, eval-base]', '-> [eval, |').labels[0]).toBe('eval-base')
  })
})

describe('checks', () => {
  const check = (marked: string) => completed('- bleu better than baseline', `- ${marked}`)

  it('start with metrics, spaces, functions and the long form', () => {
    const { labels, doc } = check('|')
    expect(labels.slice(0, 2)).toEqual(['perplexity', 'bleu'])
    expect(labels).toEqual(expect.arrayContaining(['baseline', 'main', 'eval-base', 'worst', 'not', 'warn']))
    expect(labels).not.toContain('rouge_l')
    expect(doc('bleu')).toContain('higher is better')
  })

  it('go on as the grammar says', () => {
    expect(check('bleu |').labels).toEqual(
      expect.arrayContaining(['>=', 'better than ', 'no worse than ', 'is missing', 'and']),
    )
    expect(check('bleu no |').labels).toEqual(['worse than '])
    expect(check('bleu >= 0.3 with |').labels).toEqual(['p < 0.05', '95% confidence'])
    expect(check('bleu >= 0.3 |').labels).toEqual(['with', 'and', 'or'])
  })

  it('compare with spaces first', () => {
    expect(check('bleu better than |').labels[0]).toBe('main')
    expect(check('bleu better than ba|').take('baseline')).toContain('- bleu better than baseline\n')
  })

  it('name the metrics of a space after its dot', () => {
    expect(check('bleu > baseline.|').labels).toEqual(['perplexity', 'bleu'])
    expect(check('data.rows > 0 and train.|').labels).toContain('loss')
    expect(check('bleu > baseline.bl|').take('bleu')).toContain('- bleu > baseline.bleu\n')
  })

  it('in the long form, and in a budget', () => {
    expect(completed('warn: bleu >= 0.30', 'warn: |').labels).toContain('bleu')
    const budget = completed('    checks:\n', '    budget:\n      - total.|\n    checks:\n')
    expect(budget.labels).toEqual(['duration', 'gpu_time'])
  })

  it('of live values', () => {
    const { labels } = completed(
      '    with:\n      r',
      '    watch:\n      - stop: train.|\n    with:\n      r',
    )
    expect(labels).toEqual(expect.arrayContaining(['loss', 'lr']))
  })
})

describe('values and conditions', () => {
  it('know parameters and functions', () => {
    const { labels, take } = completed('=params.rate', '=|')
    expect(labels).toEqual(expect.arrayContaining(['params.rate', 'params.smoke', 'min', 'if', 'none']))
    expect(labels).not.toContain('bleu')
    expect(take('params.rate')).toContain('lr: =params.rate\n')
    expect(completed('=params.rate', '=2 * params.|').labels).toEqual(['rate', 'smoke'])
  })

  it('know axes', () => {
    const text = GOOD.replace('  lora-train:\n', '  lora-train:\n    matrix: { r: [4, 8] }\n')
    expect(completed('      r: 8', '      r: =matrix.|', text).labels).toEqual(['r'])
  })

  it('know what became of stages', () => {
    const { labels } = completed('when: gate.failed', 'when: |')
    expect(labels).toEqual(
      expect.arrayContaining(['run.branch', 'gate.failed', 'clean.cached', 'params.smoke']),
    )
    expect(completed('when: gate.failed', 'when: gate.|').labels).toEqual([
      'passed',
      'failed',
      'undecided',
      'skipped',
    ])
  })
})

describe('half-written files', () => {
  it('keep what the last readable text said', () => {
    // A bracket that is not closed makes the whole text unreadable.
    const broken = GOOD.replace('    needs: [clean]\n', '')
    const { labels } = completed('metrics: [perplexity, bleu]', 'metrics: [perplexity, |', broken)
    expect(labels).toEqual(expect.arrayContaining(['bleu', '=params.rate']))
    const gate = completed('    checks:\n', '    checks: {\n      - bl|\n', broken)
    expect(gate.labels).not.toContain('rouge_l')
  })

  it('know the kinds even with nothing else to go by', () => {
    const { labels } = completed('x', 'stages:\n  lora-train:\n    with:\n      |\n  eval: {', 'x')
    expect(labels).toContain('epochs')
  })

  it('offer nothing in comments, and in text of the user', () => {
    expect(completed('flow:', '# see fl|\nflow:').labels).toEqual([])
    expect(completed('flow:', 'description: a |\nflow:').labels).toEqual([])
  })
})
