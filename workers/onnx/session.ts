/** Opens ONNX Runtime sessions with the options that were measured to suit us; nothing else imports the runtime. */
import { realpathSync } from 'node:fs'
import * as ort from 'onnxruntime-node'

export type Session = ort.InferenceSession
export type Tensor = ort.Tensor
export type Feeds = Record<string, ort.Tensor>
export const Tensor = ort.Tensor

export interface SessionOptions {
  readonly threads: number
  /** Directory that holds the files of the graph's external weights. */
  readonly weightsDir?: string
}

/**
 * Makes a session on the CPU from a model in memory.
 *
 * - no graph optimisation: our graphs leave nothing to fuse, and creation is fastest;
 * - no memory pattern: it nearly doubled the peak and saved no time;
 * - the arena stays on: without it steps took half as long again;
 * - no prepacking: it copies every weight, where the mapped file can be used as it is;
 * - no spinning: other jobs share the cores.
 */
export async function openSession(model: Uint8Array, options: SessionOptions): Promise<Session> {
  return ort.InferenceSession.create(model, {
    executionProviders: ['cpu'],
    executionMode: 'sequential',
    graphOptimizationLevel: 'disabled',
    enableMemPattern: false,
    enableCpuMemArena: true,
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: {
      session: {
        disable_prepacking: '1',
        intra_op: { allow_spinning: '0' },
        // ONNX Runtime refuses links that leave the folder, so it gets the folder they lead to.
        ...(options.weightsDir === undefined
          ? {}
          : { model_external_initializers_file_folder_path: realpathSync(options.weightsDir) }),
      },
    },
  })
}
