/** A Jinja template -> text, with what transformers gives to a chat template and nothing else. */
import * as library from '@huggingface/jinja'

// The library's own types cannot be read by tools that ask for the ends of file names, as ours do.
const { Environment, Interpreter, parse, tokenize } = library as unknown as {
  readonly tokenize: (source: string, options: Readonly<Record<string, boolean>>) => unknown
  readonly parse: (tokens: unknown) => unknown
  readonly Environment: new () => { readonly set: (name: string, value: unknown) => void }
  readonly Interpreter: new (environment: unknown) => {
    readonly run: (program: unknown) => { value: unknown }
  }
}

/** As far as jinja2's sandbox lets a template count. */
const LONGEST_RANGE = 100_000

/** What `strftime_now` knows of 26 July 2024, the one day on which every template is rendered. */
const DAY: Readonly<Record<string, string>> = {
  Y: '2024',
  y: '24',
  m: '07',
  B: 'July',
  b: 'Jul',
  d: '26',
  A: 'Friday',
  a: 'Fri',
  j: '208',
  H: '00',
  I: '12',
  p: 'AM',
  M: '00',
  S: '00',
  '%': '%',
}

const GLOBALS = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  range,
  raise_exception: (message: unknown) => {
    throw new Error(String(message))
  },
  // With today's date, the same row would be other tokens tomorrow.
  strftime_now: (format: unknown) =>
    String(format).replace(/%(.?)/gs, (directive, letter: string) => {
      const value = DAY[letter]
      if (value === undefined) throw new Error(`strftime_now: ${directive} is not supported`)
      return value
    }),
}

/** Throws the library's error for what is no template, and the returned function for what cannot be rendered. */
export function compileJinja(source: string): (values: Readonly<Record<string, unknown>>) => string {
  const program = parse(tokenize(source, { trim_blocks: true, lstrip_blocks: true }))
  return (values) => {
    const environment = new Environment()
    for (const [name, value] of Object.entries({ ...GLOBALS, ...values })) environment.set(name, value)
    return String(new Interpreter(environment).run(program).value)
  }
}

function range(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop]
  const length = Math.max(0, Math.ceil((to - from) / step))
  if (!(length <= LONGEST_RANGE)) throw new Error(`range: ${length} numbers are too many`)
  return Array.from({ length }, (_, i) => from + i * step)
}
