/** How far a download is: one line that is drawn again on a terminal, a line now and then elsewhere. */
import { bar } from './progress.ts'
import { bytes, duration } from './style.ts'

const DRAW_MS = 100
const LINE_MS = 15_000

export class FetchReport {
  readonly #stream: NodeJS.WriteStream
  readonly #name: string
  #began = 0
  #first = 0
  #saidAt = 0

  constructor(stream: NodeJS.WriteStream, name: string) {
    this.#stream = stream
    this.#name = name
  }

  take(done: number, total: number): void {
    const now = performance.now()
    const live = this.#stream.isTTY && process.env['CI'] === undefined && process.env['TERM'] !== 'dumb'
    if (this.#began === 0) {
      this.#began = now
      // What lay here already says nothing of the pace.
      this.#first = done
    }
    const over = done >= total
    if (!over && this.#saidAt !== 0 && now - this.#saidAt < (live ? DRAW_MS : LINE_MS)) return
    this.#saidAt = now
    const text = `${this.#name}  ${live ? `${bar(done / total, 20)} ` : ''}${bytes(done)} of ${bytes(total)}${this.#pace(done, total, now)}`
    this.#stream.write(live ? `\r\u001b[K${text}${over ? '\n' : ''}` : `${text}\n`)
    if (over) this.#began = this.#saidAt = 0
  }

  #pace(done: number, total: number, now: number): string {
    const ms = now - this.#began
    const came = done - this.#first
    if (ms < 1000 || came <= 0) return ''
    const left = done < total ? `, left ${duration((ms / came) * (total - done))}` : ''
    return `, ${bytes(Math.round((came / ms) * 1000))}/s${left}`
  }
}
