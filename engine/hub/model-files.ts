/** What of a repository is a model: its configuration, its tokenizer, its weights as safetensors, and nothing else. */

/** All in the top folder: `original/`, `onnx/` and the like hold the same weights in other forms. */
const BESIDES = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'vocab.txt',
  'merges.txt',
  'tokenizer.model',
  'spiece.model',
  'chat_template.jinja',
  'chat_template.json',
]
export const INDEX = 'model.safetensors.index.json'
const WEIGHTS = /^model(-\d+-of-\d+)?\.safetensors$/

export function isWeights(path: string): boolean {
  return WEIGHTS.test(path)
}

/** Sorted by path. The rule is part of a source's content: the same commit has to give the same files everywhere. */
export function modelFiles<T extends { readonly path: string }>(all: readonly T[]): readonly T[] {
  const names = new Set(all.map(({ path }) => path))
  const sharded = names.has(INDEX) && !names.has('model.safetensors')
  return all
    .filter(({ path }) =>
      isWeights(path)
        ? sharded === (path !== 'model.safetensors')
        : BESIDES.includes(path) || (sharded && path === INDEX),
    )
    .sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
}

/** Why the files are no model; null if they are one. */
export function lacks(files: readonly { readonly path: string }[]): string | null {
  if (!files.some(({ path }) => path === 'config.json')) return 'has no config.json'
  return files.some(({ path }) => isWeights(path)) ? null : 'has no weights as safetensors'
}
