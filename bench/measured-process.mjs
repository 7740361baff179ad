// Runs a command and tells how long it took and how much memory it and all its descendants held at once.
import { spawn } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'

const SAMPLE_MS = 100

/**
 * Standard output and error are collected. Memory is read from Linux's /proc and is null elsewhere:
 * `peakSum` is the largest sum of resident memory over the process tree in any sample (pages that processes share
 * count for each), `peakOne` the kernel's own high-water mark of the largest process.
 *
 * @param {readonly string[]} command
 * @param {{ cwd: string, env?: NodeJS.ProcessEnv, memory?: boolean }} options
 * @returns {Promise<{ ms: number, code: number | null, stdout: string, stderr: string,
 *   peakSum: number | null, peakOne: number | null }>}
 */
export function measureProcess([file, ...args], { cwd, env = process.env, memory = false }) {
  return new Promise((resolve, reject) => {
    const started = performance.now()
    const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    let peakSum = null
    let peakOne = null
    const sample = () => {
      let sum = 0
      for (const pid of processTree(child.pid)) {
        const { resident, highest } = memoryOf(pid)
        sum += resident
        peakOne = Math.max(peakOne ?? 0, highest)
      }
      if (sum > 0) peakSum = Math.max(peakSum ?? 0, sum)
    }
    const timer = memory && process.platform === 'linux' ? setInterval(sample, SAMPLE_MS) : null
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
    child.on('error', (error) => {
      if (timer !== null) clearInterval(timer)
      reject(error)
    })
    child.on('close', (code) => {
      const ms = performance.now() - started
      if (timer !== null) clearInterval(timer)
      resolve({ ms, code, stdout, stderr, peakSum, peakOne })
    })
  })
}

/** The process and all its descendants that are alive. */
function processTree(pid) {
  const found = [pid]
  try {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
      for (const child of children.split(' '))
        if (child.trim() !== '') found.push(...processTree(Number(child)))
    }
  } catch {
    // It ended between two looks.
  }
  return found
}

/** Bytes: resident now, and the most so far. Zero for a process that has ended. */
function memoryOf(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const bytes = (name) => Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024
    return { resident: bytes('VmRSS'), highest: bytes('VmHWM') }
  } catch {
    return { resident: 0, highest: 0 }
  }
}
