/** The pipelines that `init` writes: each validates, and runs as it is on its own sample data. */
import { chineseCorpus, chineseRows, englishCorpus, englishRows } from './samples.ts'

export interface Template {
  readonly name: string
  /** What the model learns, in a line. */
  readonly about: string
  readonly rows: () => string
  readonly corpus: () => string
  readonly description: string
  /** Text of one row. */
  readonly row: string
  readonly bleuTokenizer: string | null
  /** Whether several settings are tried and the best is judged. */
  readonly sweeps: boolean
}

const english = {
  rows: englishRows,
  corpus: englishCorpus,
  description: 'Answers questions from a small handbook. Replace the files in data/ with your own.',
  row: 'Question: {prompt}\\nAnswer: {response}',
  bleuTokenizer: null,
  sweeps: false,
}

export const TEMPLATES: readonly Template[] = [
  { ...english, name: 'support', about: 'answer questions' },
  {
    name: 'support-zh',
    about: 'answer questions in Chinese',
    rows: chineseRows,
    corpus: chineseCorpus,
    description: '回答小店顾客的问题。请把 data/ 里的文件换成自己的数据。',
    row: '问：{prompt}\\n答：{response}',
    bleuTokenizer: 'zh',
    sweeps: false,
  },
  { ...english, name: 'sweep', about: 'answer questions, with the best of several settings', sweeps: true },
]

/** What is already there; null for what is sampled or trained here. */
export interface Own {
  readonly data: string | null
  readonly model: string | null
}

export function templateText(template: Template, name: string, schema: string, { data, model }: Own): string {
  const tokenizer = template.bleuTokenizer === null ? '' : `, bleu_tokenizer: ${template.bleuTokenizer}`
  const chain = template.sweeps ? 'lora-train -> score -> pick -> eval -> gate' : 'lora-train -> eval -> gate'
  const base =
    model === null
      ? `sources:
  handbook: { type: corpus, from: data/${name}-handbook.txt }

# To start from a model of your own, delete 'pretrain' here and below, and add:  model: path/to/model-directory/*
flow: pretrain -> tokenize; clean -> split -> tokenize -> ${chain}

stages:
  pretrain:                              # a tiny base model, trained here from the handbook
    with: { hidden: 64, layers: 2, heads: 4, kv_heads: 4, ffn: 172, vocab: 512, steps: 150 }
`
      : `model: ${JSON.stringify(model)}

flow: clean -> split -> tokenize -> ${chain}

stages:
`
  const train = model === null ? 'lr: 3e-3, epochs: 20, batch_size: 4' : 'lr: 2e-4, epochs: 3, batch_size: 4'
  const training = template.sweeps
    ? `  lora-train:                            # four times, once for every pair
    matrix: { r: [8, 16], lr: [1e-3, 3e-3] }
    with: { r: =matrix.r, alpha: =matrix.r * 2, lr: =matrix.lr, epochs: 20, batch_size: 4 }
  score:                                 # each on rows that the test does not hold
    uses: eval
    with: { metrics: [perplexity], split: validation, max_new_tokens: 64 }
  pick:
    uses: select
    with: { by: best perplexity }
  eval:                                  # the chosen one alone sees the test rows
    inputs: { adapter: pick.adapter }
    with: { metrics: [perplexity, bleu, exact_match]${tokenizer}, split: test, max_new_tokens: 64 }
`
    : `  lora-train:
    with: { r: 16, alpha: 32, ${train} }
  eval:
    with: { metrics: [perplexity, bleu, exact_match]${tokenizer}, split: test, max_new_tokens: 64 }
`
  const shares = template.sweeps ? 'train: 50%, validation: 25%, test: 25%' : 'train: 75%, test: 25%'
  return `# yaml-language-server: $schema=../${schema}
version: 1
name: ${name}
description: ${template.description}

data: ${data === null ? `data/${name}.jsonl` : JSON.stringify(data)}                 # {"prompt": "...", "response": "..."} per line
${base}  split:
    with: { ${shares}, seed: 42 }
  tokenize:
    with: { template: "${template.row}", loss_on: response, max_length: 256 }
${training}  gate:
    baseline: untuned                    # the same eval without the adapter
    checks:
      - perplexity better than baseline
      - warn: bleu >= 0.30
`
}
