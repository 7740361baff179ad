/** GPUs that a process holds -> what its environment says. */

/** What the environment of a process says that may use these GPUs and no others; nothing if the stage claims none. */
export function gpuEnvironment(gpus: readonly string[]): Readonly<Record<string, string>> {
  return gpus.length === 0
    ? {}
    : {
        CUDA_VISIBLE_DEVICES: gpus.join(','),
        // So that an index means the same to CUDA as to nvidia-smi.
        CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
      }
}
