// A worker of somebody else: one op, `merge`, written from the formats alone with nothing but Node. It speaks the protocol on
// its standard input and output, and is slow and true. `MERGE_WORKER_OPS` changes what it says that it can do.
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { join } from 'node:path'

const send = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)

/** Name -> {shape, data} of a float32 safetensors file. */
function readTensors(path) {
  const bytes = readFileSync(path)
  const length = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString())
  delete header.__metadata__
  return new Map(
    Object.entries(header).map(
      ([
        name,
        {
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        const part = bytes.subarray(8 + length + from, 8 + length + to)
        const data = Array.from({ length: part.length / 4 }, (_, i) => part.readFloatLE(4 * i))
        return [name, { shape, data }]
      },
    ),
  )
}

function writeTensors(path, tensors) {
  const header = { __metadata__: { format: 'pt' } }
  const parts = []
  let end = 0
  for (const [name, { shape, data }] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const part = Buffer.alloc(4 * data.length)
    data.forEach((value, i) => part.writeFloatLE(value, 4 * i))
    header[name] = { dtype: 'F32', shape, data_offsets: [end, (end += part.length)] }
    parts.push(part)
  }
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  writeFileSync(path, Buffer.concat([length, text, ...parts]))
}

function merge({ inputs, outputs }) {
  const { r, lora_alpha: alpha } = JSON.parse(readFileSync(join(inputs.adapter.dir, 'adapter_config.json')))
  const weights = readTensors(join(inputs.model.dir, 'model.safetensors'))
  const lora = readTensors(join(inputs.adapter.dir, 'adapter_model.safetensors'))
  let merged = 0
  for (const [name, { data: a }] of lora) {
    if (!name.endsWith('.lora_A.weight')) continue
    const stem = name.slice('base_model.model.'.length, -'.lora_A.weight'.length)
    const { data: b } = lora.get(name.replace('lora_A', 'lora_B'))
    const { shape, data } = weights.get(`${stem}.weight`)
    const [out, width] = shape
    for (let i = 0; i < out; i++)
      for (let j = 0; j < width; j++) {
        let sum = 0
        for (let k = 0; k < r; k++) sum += b[i * r + k] * a[k * width + j]
        data[i * width + j] += (alpha / r) * sum
      }
    merged++
  }
  writeTensors(join(outputs.model, 'model.safetensors'), weights)
  for (const file of ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json'])
    if (existsSync(join(inputs.model.dir, file)))
      copyFileSync(join(inputs.model.dir, file), join(outputs.model, file))
  return { merged, by: 'merge-worker' }
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const message = JSON.parse(line)
    if (message.type === 'hello') {
      const ops = (process.env.MERGE_WORKER_OPS ?? 'merge').split(',')
      send({ type: 'ready', protocol: 1, worker: 'merge-worker', ops, versions: {}, devices: ['cpu'] })
    } else if (message.type === 'job') {
      send({ type: 'started', id: message.id })
      send({ type: 'done', id: message.id, summary: merge(message) })
    } else if (message.type === 'bye') process.exit(0)
  })
  .on('close', () => process.exit(0))
