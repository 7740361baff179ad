/** The heavy operations: what `workers:` may take over from the worker that comes with Sluice. */
export const KERNEL_OPS = ['pretrain', 'lora-train', 'merge', 'score', 'generate', 'shrink'] as const
