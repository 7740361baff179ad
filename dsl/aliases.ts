/** Names of other tools for options and metrics that we call something else. */

export interface Alias {
  readonly ours: string
  readonly whose: string
}

export const OPTION_ALIASES: Readonly<Record<string, Alias>> = {
  lora_alpha: { ours: 'alpha', whose: 'the PEFT / Axolotl name' },
  lora_r: { ours: 'r', whose: 'the Axolotl name' },
  lora_rank: { ours: 'r', whose: 'the LLaMA-Factory name' },
  rank: { ours: 'r', whose: 'a common name' },
  lora_dropout: { ours: 'dropout', whose: 'the PEFT / Axolotl name' },
  lora_target: { ours: 'target', whose: 'the LLaMA-Factory name' },
  lora_target_modules: { ours: 'target', whose: 'the Axolotl name' },
  target_modules: { ours: 'target', whose: 'the PEFT name' },
  learning_rate: { ours: 'lr', whose: 'the Transformers name' },
  num_train_epochs: { ours: 'epochs', whose: 'the Transformers name' },
  num_epochs: { ours: 'epochs', whose: 'the Axolotl name' },
  per_device_train_batch_size: { ours: 'batch_size', whose: 'the Transformers name' },
  micro_batch_size: { ours: 'batch_size', whose: 'the Axolotl name' },
  gradient_accumulation_steps: { ours: 'grad_accum', whose: 'the Transformers name' },
  warmup_ratio: { ours: 'warmup', whose: 'the Transformers name' },
  lr_scheduler_type: { ours: 'schedule', whose: 'the Transformers name' },
  lr_scheduler: { ours: 'schedule', whose: 'the Axolotl name' },
  max_grad_norm: { ours: 'clip', whose: 'the Transformers name' },
  cutoff_len: { ours: 'max_length', whose: 'the LLaMA-Factory name' },
  sequence_len: { ours: 'max_length', whose: 'the Axolotl name' },
  max_seq_length: { ours: 'max_length', whose: 'the TRL name' },
  hidden_size: { ours: 'hidden', whose: 'the Transformers name' },
  num_hidden_layers: { ours: 'layers', whose: 'the Transformers name' },
  num_attention_heads: { ours: 'heads', whose: 'the Transformers name' },
  num_key_value_heads: { ours: 'kv_heads', whose: 'the Transformers name' },
  intermediate_size: { ours: 'ffn', whose: 'the Transformers name' },
  vocab_size: { ours: 'vocab', whose: 'the Transformers name' },
  max_steps: { ours: 'steps', whose: 'the Transformers name' },
}

export const METRIC_ALIASES: Readonly<Record<string, Alias>> = {
  ppl: { ours: 'perplexity', whose: 'a common abbreviation' },
  acc: { ours: 'exact_match', whose: 'a common abbreviation' },
  accuracy: { ours: 'exact_match', whose: 'a common name' },
  em: { ours: 'exact_match', whose: 'a common abbreviation' },
  bpb: { ours: 'bits_per_byte', whose: 'a common abbreviation' },
  rougeL: { ours: 'rouge_l', whose: 'the rouge-score name' },
  rouge: { ours: 'rouge_l', whose: 'a common name' },
}
