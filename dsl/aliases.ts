/** What other tools call our options, keys and metrics, and what becomes of settings that do not exist here. */
import { words } from './problems/problem.ts'
import type { Words } from './words.ts'

export interface Alias {
  readonly ours: string
  /** Who calls it so: `'lora_alpha' is …`. */
  readonly whose: Words
}

/** A setting of other tools that we do not have: why, and what to do instead. */
export interface Absent {
  readonly why: Words
  readonly instead: Words
}

const alias = (ours: string, tool: string): Alias => ({
  ours,
  whose: words(`the ${tool} name`, ` ${tool} 的叫法`),
})
const COMMON = words('a common name', '常见的叫法')
const SHORT = words('a common abbreviation', '常见的缩写')

export const OPTION_ALIASES: Readonly<Record<string, Alias>> = {
  lora_alpha: alias('alpha', 'PEFT / Axolotl'),
  lora_r: alias('r', 'Axolotl'),
  lora_rank: alias('r', 'LLaMA-Factory'),
  rank: { ours: 'r', whose: COMMON },
  lora_dropout: alias('dropout', 'PEFT / Axolotl'),
  lora_target: alias('target', 'LLaMA-Factory'),
  lora_target_modules: alias('target', 'Axolotl'),
  target_modules: alias('target', 'PEFT'),
  learning_rate: alias('lr', 'Transformers'),
  num_train_epochs: alias('epochs', 'Transformers'),
  num_epochs: alias('epochs', 'Axolotl'),
  per_device_train_batch_size: alias('batch_size', 'Transformers'),
  per_device_batch_size: alias('batch_size', 'Transformers'),
  micro_batch_size: alias('batch_size', 'Axolotl'),
  train_batch_size: { ours: 'batch_size', whose: COMMON },
  gradient_accumulation_steps: alias('grad_accum', 'Transformers'),
  warmup_ratio: alias('warmup', 'Transformers'),
  lr_scheduler_type: alias('schedule', 'Transformers'),
  lr_scheduler: alias('schedule', 'Axolotl'),
  max_grad_norm: alias('clip', 'Transformers'),
  gradient_clipping: alias('clip', 'DeepSpeed'),
  grad_clip: alias('clip', 'nanoGPT'),
  random_seed: { ours: 'seed', whose: COMMON },
  data_seed: alias('seed', 'Transformers'),
  cutoff_len: alias('max_length', 'LLaMA-Factory'),
  sequence_len: alias('max_length', 'Axolotl'),
  max_seq_length: alias('max_length', 'TRL'),
  max_seq_len: { ours: 'max_length', whose: COMMON },
  model_max_length: alias('max_length', 'Transformers'),
  chat_template: alias('template', 'Axolotl / Transformers'),
  prompt_template: { ours: 'template', whose: COMMON },
  val_size: alias('validation', 'LLaMA-Factory'),
  val_set_size: alias('validation', 'Axolotl'),
  test_size: alias('test', 'scikit-learn'),
  max_tokens: { ours: 'max_new_tokens', whose: COMMON },
  max_completion_length: alias('max_new_tokens', 'TRL'),
  hidden_size: alias('hidden', 'Transformers'),
  d_model: { ours: 'hidden', whose: COMMON },
  n_embd: alias('hidden', 'nanoGPT'),
  num_hidden_layers: alias('layers', 'Transformers'),
  n_layer: alias('layers', 'nanoGPT'),
  num_attention_heads: alias('heads', 'Transformers'),
  n_head: alias('heads', 'nanoGPT'),
  num_key_value_heads: alias('kv_heads', 'Transformers'),
  intermediate_size: alias('ffn', 'Transformers'),
  vocab_size: alias('vocab', 'Transformers'),
  max_position_embeddings: alias('context', 'Transformers'),
  block_size: alias('context', 'nanoGPT'),
  max_iters: alias('steps', 'nanoGPT'),
}

const ONE_PRECISION = words('the kernel computes in 32-bit floats', '内核用 32 位浮点计算')
const ONE_MACHINE = words('the kernel trains in one process on one machine', '内核在一台机器的一个进程里训练')
const STORE = words('results are kept by what they were made from', '结果按内容寻址保存')
const LEAVE_OUT = words('leave it out', '去掉这一项')
const ADAMW = words('the optimizer is AdamW', '优化器是 AdamW')
const GREEDY = words('answers are generated greedily, so that scores repeat', '生成用贪心解码，分数可以重复')

const precision: Absent = { why: ONE_PRECISION, instead: LEAVE_OUT }
const quantised: Absent = {
  why: words('weights are not quantised', '不做权重量化'),
  instead: words('take a smaller model if it does not fit', '放不下就换小一点的模型'),
}
const parallel: Absent = {
  why: ONE_MACHINE,
  instead: words(
    'leave it out; a larger effective batch is grad_accum',
    '去掉这一项；要更大的有效批量用 grad_accum',
  ),
}
const packing: Absent = {
  why: words(
    'training packs the rows of a batch by itself, and keeps them apart',
    '训练会自动拼接一批里的各行，并且互不干扰',
  ),
  instead: words(
    'leave it out; max_length of tokenize limits a row',
    '去掉这一项；行长由 tokenize 的 max_length 限制',
  ),
}
const attention: Absent = {
  why: words('the kernel has one way to compute attention', '内核只有一种注意力实现'),
  instead: LEAVE_OUT,
}
const memory: Absent = {
  why: words('activations are not recomputed', '不做激活重计算'),
  instead: words(
    'less memory: a smaller batch_size with more grad_accum',
    '省内存：减小 batch_size，加大 grad_accum',
  ),
}
const output: Absent = {
  why: STORE,
  instead: words(
    'leave it out; find it with: sluice show <stage>',
    '去掉这一项；用 sluice show <stage> 查看位置',
  ),
}
const checkpoints: Absent = {
  why: words('training keeps checkpoints and resumes by itself', '训练会自动保存检查点并续训'),
  instead: LEAVE_OUT,
}
const watching: Absent = {
  why: words('progress is always shown and logged', '进度总会显示并写入日志'),
  instead: words('leave it out; see: sluice logs <stage>', '去掉这一项；查看：sluice logs <stage>'),
}
const judging: Absent = {
  why: words('a stage trains or measures, never both', '一个阶段要么训练要么评测，不会兼做'),
  instead: words(
    'put an eval stage after it: flow: … -> lora-train -> eval',
    '在后面接一个 eval 阶段：flow: … -> lora-train -> eval',
  ),
}
const stopping: Absent = {
  why: words(
    'nothing is measured while training, so it goes on to its last step',
    '训练时不评测，会一直训到最后一步',
  ),
  instead: words(
    'set epochs or max_steps; watch: [stop: train.loss > 5] ends a hopeless one',
    '设 epochs 或 max_steps；没救的训练用 watch: [stop: train.loss > 5] 停下',
  ),
}
const watchdog: Absent = {
  why: words('a stage is watched by checks on its live values', '由 watch 检查阶段的实时数值'),
  instead: words(
    'of the stage, beside with: watch: [stop: train.loss > 5]',
    '写在阶段里、with 旁边：watch: [stop: train.loss > 5]',
  ),
}
const lossOn: Absent = {
  why: words('what is learnt is decided by tokenize', '学哪部分由 tokenize 决定'),
  instead: words(
    'tokenize: { with: { loss_on: response } }, or all',
    'tokenize: { with: { loss_on: response } }，或 all',
  ),
}
const sampling: Absent = { why: GREEDY, instead: LEAVE_OUT }
const theModel: Absent = {
  why: words('the model is a source of the pipeline', '模型是流水线的来源'),
  instead: words('write at the top: model: path/to/model', '写在顶层：model: path/to/model'),
}
const foreignCode: Absent = {
  why: words('no code that comes with a model is ever run', '模型附带的代码从不运行'),
  instead: LEAVE_OUT,
}
const allRows: Absent = {
  why: words('all rows of the data are read', '数据的每一行都会读'),
  instead: words('make a smaller file: head -n 1000', '另做一个小文件：head -n 1000'),
}
const theData: Absent = {
  why: words('data is a source of the pipeline', '数据是流水线的来源'),
  instead: words('write at the top: data: data/*.jsonl', '写在顶层：data: data/*.jsonl'),
}
const optimizer: Absent = {
  why: ADAMW,
  instead: words('leave it out; weight_decay and clip can be set', '去掉这一项；可以设 weight_decay 和 clip'),
}
const variant: Absent = {
  why: words('the adapter is plain LoRA', 'adapter 是标准 LoRA'),
  instead: words(
    'leave it out; r, alpha, dropout and target can be set',
    '去掉这一项；可以设 r、alpha、dropout 和 target',
  ),
}
const method: Absent = {
  why: words('the method is the stage kind', '训练方法由阶段类型决定'),
  instead: words('uses: lora-train', 'uses: lora-train'),
}
const warmupSteps: Absent = {
  why: words('the warm-up is a share of all steps', '预热按总步数的比例设置'),
  instead: words('warmup: 3%', 'warmup: 3%'),
}

/** Options of Axolotl, PEFT, LLaMA-Factory, Transformers and TRL without a counterpart here. */
export const ABSENT_OPTIONS: Readonly<Record<string, Absent>> = {
  bf16: precision,
  fp16: precision,
  tf32: precision,
  dtype: precision,
  torch_dtype: precision,
  precision,
  mixed_precision: precision,
  load_in_4bit: quantised,
  load_in_8bit: quantised,
  quantization_bit: quantised,
  quantization_config: quantised,
  bnb_4bit_compute_dtype: quantised,
  bnb_4bit_quant_type: quantised,
  deepspeed: parallel,
  fsdp: parallel,
  fsdp_config: parallel,
  ddp_find_unused_parameters: parallel,
  ddp_timeout: parallel,
  device_map: parallel,
  packing,
  pack: packing,
  sample_packing: packing,
  neat_packing: packing,
  pad_to_sequence_len: packing,
  group_by_length: packing,
  flash_attention: attention,
  flash_attn: attention,
  attn_implementation: attention,
  xformers_attention: attention,
  sdp_attention: attention,
  torch_compile: attention,
  use_liger_kernel: attention,
  gradient_checkpointing: memory,
  gradient_checkpointing_kwargs: memory,
  output_dir: output,
  overwrite_output_dir: output,
  dataset_prepared_path: output,
  overwrite_cache: output,
  push_to_hub: output,
  hub_model_id: output,
  save_steps: checkpoints,
  save_strategy: checkpoints,
  save_total_limit: checkpoints,
  saves_per_epoch: checkpoints,
  resume_from_checkpoint: checkpoints,
  logging_steps: watching,
  report_to: watching,
  plot_loss: watching,
  wandb_project: watching,
  run_name: watching,
  do_train: judging,
  do_eval: judging,
  do_predict: judging,
  eval_steps: judging,
  eval_strategy: judging,
  evaluation_strategy: judging,
  evals_per_epoch: judging,
  per_device_eval_batch_size: judging,
  load_best_model_at_end: judging,
  metric_for_best_model: judging,
  early_stopping_patience: stopping,
  loss_watchdog_threshold: watchdog,
  loss_watchdog_patience: watchdog,
  predict_with_generate: judging,
  train_on_inputs: lossOn,
  train_on_prompt: lossOn,
  completion_only_loss: lossOn,
  assistant_only_loss: lossOn,
  mask_history: lossOn,
  do_sample: sampling,
  temperature: sampling,
  top_p: sampling,
  top_k: sampling,
  num_beams: sampling,
  repetition_penalty: sampling,
  base_model: theModel,
  model_name_or_path: theModel,
  model_name: theModel,
  trust_remote_code: foreignCode,
  tokenizer_name_or_path: theModel,
  dataset: theData,
  datasets: theData,
  dataset_dir: theData,
  dataset_name: theData,
  dataset_text_field: theData,
  train_file: theData,
  max_samples: allRows,
  optim: optimizer,
  optimizer,
  adam_beta1: optimizer,
  adam_beta2: optimizer,
  adam_epsilon: optimizer,
  label_smoothing_factor: optimizer,
  neftune_noise_alpha: optimizer,
  use_dora: variant,
  use_rslora: variant,
  pissa_init: variant,
  loraplus_lr_ratio: variant,
  modules_to_save: variant,
  additional_target: variant,
  init_lora_weights: variant,
  lora_target_linear: variant,
  lora_modules_to_save: variant,
  layers_to_transform: variant,
  fan_in_fan_out: variant,
  bias: variant,
  finetuning_type: method,
  task_type: method,
  adapter: method,
  stage: method,
  rl: method,
  warmup_steps: warmupSteps,
  dataloader_num_workers: parallel,
  preprocessing_num_workers: parallel,
  dataset_num_proc: parallel,
}

/** Keys at the top of other tools' files. */
export const TOP_ALIASES: Readonly<Record<string, Alias>> = {
  base_model: alias('model', 'Axolotl'),
  model_name_or_path: alias('model', 'LLaMA-Factory'),
  datasets: alias('data', 'Axolotl'),
  dataset: alias('data', 'LLaMA-Factory'),
  train_file: alias('data', 'Transformers'),
  jobs: alias('stages', 'GitHub Actions'),
  steps: alias('stages', 'Argo / Dagu'),
  tasks: { ours: 'stages', whose: COMMON },
  parameters: alias('params', 'Argo'),
  vars: alias('params', 'DVC'),
}

/** Keys of a stage in other tools' files. */
export const STAGE_ALIASES: Readonly<Record<string, Alias>> = {
  depends: alias('needs', 'Dagu'),
  depends_on: { ours: 'needs', whose: COMMON },
  dependencies: alias('needs', 'Argo'),
  type: { ours: 'uses', whose: COMMON },
  kind: { ours: 'uses', whose: COMMON },
  config: { ours: 'with', whose: COMMON },
  options: { ours: 'with', whose: COMMON },
  params: { ours: 'with', whose: COMMON },
  parameters: alias('with', 'Argo'),
  if: alias('when', 'GitHub Actions'),
  strategy: alias('matrix', 'GitHub Actions'),
}

export const METRIC_ALIASES: Readonly<Record<string, Alias>> = {
  ppl: { ours: 'perplexity', whose: SHORT },
  acc: { ours: 'exact_match', whose: SHORT },
  accuracy: { ours: 'exact_match', whose: COMMON },
  em: { ours: 'exact_match', whose: SHORT },
  bpb: { ours: 'bits_per_byte', whose: SHORT },
  rougeL: alias('rouge_l', 'rouge-score'),
  rouge: { ours: 'rouge_l', whose: COMMON },
  'rouge-l': alias('rouge_l', 'LLaMA-Factory'),
  'bleu-4': alias('bleu', 'LLaMA-Factory'),
  sacrebleu: { ours: 'bleu', whose: COMMON },
}
