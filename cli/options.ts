/** argv -> a command with its flags, or a mistake in words. */
import { parseArgs } from 'node:util'
import { own } from '../dsl/own.ts'
import { didYouMean } from '../dsl/spelling.ts'

interface Flag {
  readonly type: 'boolean' | 'string'
  readonly short?: string
  readonly multiple?: boolean
  readonly value?: string
  readonly help: string
}

export interface Verb {
  readonly usage: string
  readonly help: string
  readonly flags: Readonly<Record<string, Flag>>
}

const GLOBAL: Readonly<Record<string, Flag>> = {
  file: {
    type: 'string',
    short: 'f',
    value: 'FILE',
    help: 'the pipeline file (default: the only one in pipelines/)',
  },
  directory: { type: 'string', short: 'C', value: 'DIR', help: 'work as if started in DIR' },
  color: { type: 'string', value: 'WHEN', help: 'auto, always or never (NO_COLOR is respected)' },
  help: { type: 'boolean', short: 'h', help: 'show this help' },
}
const PARAM: Flag = {
  type: 'string',
  short: 'p',
  multiple: true,
  value: 'NAME=VALUE',
  help: 'set a parameter of the file',
}
const JSON_FLAG: Flag = { type: 'boolean', help: 'one JSON document on stdout' }
const FORMAT: Flag = {
  type: 'string',
  value: 'FORM',
  help: 'problems of the file as text, json, github or sarif',
}
const STAGES: Omit<Flag, 'help'> = { type: 'string', multiple: true, value: 'STAGE' }
/** What takes part, and what runs although it is cached. */
const SCOPE: Readonly<Record<string, Flag>> = {
  only: { type: 'boolean', help: 'the named stages alone; what they need has to be there' },
  from: { ...STAGES, help: 'this stage and what follows it; what lies before has to be there' },
  until: { ...STAGES, help: 'the same as naming the stage; with --from: what lies between' },
  force: { ...STAGES, help: 'run this stage even if it is cached' },
  'force-downstream': { ...STAGES, help: 'this stage and what follows it, even if they are cached' },
}

export const VERBS: Readonly<Record<string, Verb>> = {
  run: {
    usage: 'run [stage...]',
    help: 'run what changed, then judge the gates; a stage means it and all it needs',
    flags: {
      param: PARAM,
      ...SCOPE,
      'fail-fast': { type: 'boolean', help: 'stop everything at the first stage that fails' },
      'keep-going': { type: 'boolean', help: 'let a matrix go on after a failure, whatever the file says' },
      json: JSON_FLAG,
      smoke: {
        type: 'boolean',
        help: 'a rehearsal in seconds: every stage on a tiny model, apart from all real results',
      },
      watch: {
        type: 'boolean',
        help: 'run again whenever the pipeline file, the configuration or a source changes',
      },
      locked: {
        type: 'boolean',
        help: 'refuse if the lock does not say what the file says; leave it as it is',
      },
      format: FORMAT,
      events: { type: 'string', value: 'ndjson', help: 'print every event as a JSON line on stdout' },
    },
  },
  plan: {
    usage: 'plan [stage...]',
    help: 'show which stages would run, and why',
    flags: {
      param: PARAM,
      ...SCOPE,
      json: JSON_FLAG,
      format: FORMAT,
      check: { type: 'boolean', help: 'exit 10 if something would run' },
    },
  },
  why: {
    usage: 'why <stage>',
    help: 'why a stage did run, or will; in what it differs from another time',
    flags: {
      param: PARAM,
      json: JSON_FLAG,
      against: { type: 'string', value: 'WHAT', help: 'main, last, a run or a git revision' },
    },
  },
  validate: {
    usage: 'validate [file...]',
    help: 'check pipeline files; nothing runs',
    flags: {
      param: PARAM,
      format: FORMAT,
      json: { type: 'boolean', help: 'the same as --format json' },
      strict: { type: 'boolean', help: 'warnings fail, too' },
    },
  },
  fmt: {
    usage: 'fmt [file...]',
    help: 'write pipeline files in the one layout',
    flags: {
      check: { type: 'boolean', help: 'write nothing; exit 10 if something would change' },
      fix: { type: 'boolean', help: 'put right what can only mean one thing, too' },
    },
  },
  gate: {
    usage: 'gate [verify FILE]',
    help: 'judge the gates on the metrics that exist, on made-up ones or on the past',
    flags: {
      param: PARAM,
      json: JSON_FLAG,
      junit: { type: 'string', value: 'FILE', help: 'also write JUnit XML, one test case a check' },
      'what-if': {
        type: 'string',
        multiple: true,
        value: 'CHECK',
        help: 'judge as if this check stood in the file',
      },
      history: { type: 'string', value: 'N', help: "also judge the last N runs of the lock's git history" },
      test: { type: 'boolean', help: 'run NAME.gate-tests.yaml' },
      mutate: { type: 'boolean', help: 'push every metric to its ends: which checks can never block' },
      strict: { type: 'boolean', help: 'with --mutate: exit 2 if a check can never block' },
      attest: { type: 'string', value: 'FILE', help: 'write the verdict as a signed in-toto statement' },
      key: { type: 'string', value: 'PEM', help: 'with --attest: the private ed25519 key' },
      pub: { type: 'string', value: 'PEM', help: 'with verify: the public key' },
      subject: {
        type: 'string',
        value: 'DIR',
        help: 'with verify: the files that the statement must speak of',
      },
    },
  },
  baseline: {
    usage: 'baseline [show|set|rescore]',
    help: "where main's numbers come from; bless a run; measure main by the present ruler",
    flags: {
      json: JSON_FLAG,
      run: {
        type: 'string',
        value: 'ID',
        help: 'with set: this run (or last) is main until another one passes there',
      },
      lock: { type: 'string', value: 'REV', help: 'with set: the lock of this git revision' },
      why: { type: 'string', value: 'TEXT', help: 'with set: the reason, for the reviewers' },
    },
  },
  lock: {
    usage: 'lock [source...]',
    help: 'compare the lock with the file, take newer models from a hub, or make one of two versions',
    flags: {
      param: PARAM,
      json: JSON_FLAG,
      check: { type: 'boolean', help: 'exit 10 if the lock does not say what the file says' },
      update: {
        type: 'boolean',
        help: 'pin the newest commit of the models on a hub, or of those that are named',
      },
      resolve: { type: 'boolean', help: 'settle a conflict: keep what fits the merged file and the cache' },
      merge: { type: 'boolean', help: 'merge driver of git: %O %A %B' },
    },
  },
  cache: {
    usage: 'cache ls|verify|push|pull',
    help: 'what lies in the store of this machine, and whether it is whole; push|pull [main]: share what the lock, or main, names',
    flags: {
      full: { type: 'boolean', help: 'verify: read every byte, not only sizes' },
      json: JSON_FLAG,
    },
  },
  gc: {
    usage: 'gc',
    help: 'free what no lock, no recent run and no main names',
    flags: {
      keep: {
        type: 'string',
        value: 'WHAT',
        help: 'main, last:N runs of each pipeline, Nd for N days (default: main,last:5)',
      },
      'dry-run': { type: 'boolean', help: 'only say what would be freed' },
      json: JSON_FLAG,
    },
  },
  graph: {
    usage: 'graph',
    help: 'the stages and what flows between them',
    flags: {
      json: JSON_FLAG,
      format: { type: 'string', value: 'FORM', help: 'text (a drawing), mermaid or dot' },
      wiring: { type: 'boolean', help: 'every port with where it reads from' },
    },
  },
  show: {
    usage: 'show <stage|run|hash>',
    help: 'what a stage was made from and what came out; how a run went; what a hash is, what made it, what used it',
    flags: { json: JSON_FLAG },
  },
  logs: {
    usage: 'logs <stage>',
    help: "what a stage's workers printed in its last attempt",
    flags: {
      follow: { type: 'boolean', short: 'F', help: 'of a run that is under way: as it is printed' },
      grep: { type: 'string', value: 'TEXT', help: 'only lines that hold TEXT, in whatever case' },
    },
  },
  metrics: {
    usage: 'metrics',
    help: 'the measured values of all stages that measure, or of all runs',
    flags: {
      json: JSON_FLAG,
      all: { type: 'boolean', help: 'a table of all runs on this machine' },
      sort: { type: 'string', value: 'METRIC', help: 'with --all: the best first' },
    },
  },
  report: {
    usage: 'report --md',
    help: 'the verdict, what changed against main and which answers got worse, for a pull request',
    flags: { md: { type: 'boolean', help: 'as Markdown on stdout, short enough for a comment' } },
  },
  export: {
    usage: 'export [stage]',
    help: 'write the adapter, the merged model or its card to a folder, if the gate of the newest run passed',
    flags: {
      param: PARAM,
      format: { type: 'string', value: 'WHAT', help: 'adapter, merged or card' },
      to: {
        type: 'string',
        value: 'DIR',
        help: 'the folder (default: what the export stage says, or out/NAME)',
      },
      anyway: { type: 'boolean', help: 'even if the gate did not pass; the card says so' },
    },
  },
  runs: { usage: 'runs', help: 'the runs on this machine, newest first', flags: { json: JSON_FLAG } },
  diff: {
    usage: 'diff <a> [b]',
    help: 'two of main, last, a run, a git revision, or the file as it is, side by side',
    flags: {
      json: JSON_FLAG,
      rows: { type: 'string', value: 'WHICH', help: 'show answers: worse, better, or rows by number or id' },
      by: { type: 'string', value: 'METRIC', help: 'judge single rows by this metric' },
    },
  },
  doctor: { usage: 'doctor', help: 'is this machine ready', flags: { json: JSON_FLAG } },
  init: {
    usage: 'init [name]',
    help: 'write a pipeline that validates and runs, with sample data and a CI workflow',
    flags: {
      template: { type: 'string', value: 'NAME', help: 'support, support-zh or sweep' },
      from: {
        type: 'string',
        value: 'FILE',
        help: 'carry over the settings of an Axolotl or LLaMA-Factory file',
      },
      yes: {
        type: 'boolean',
        help: 'ask nothing and take the defaults; so it is without a terminal and in CI',
      },
      'no-input': { type: 'boolean', help: 'the same' },
    },
  },
  schema: {
    usage: 'schema',
    help: 'the JSON Schema of pipeline files, for editors',
    flags: { out: { type: 'string', value: 'FILE', help: 'write it to FILE' } },
  },
  lsp: {
    usage: 'lsp',
    help: 'the language server for editors, on stdin and stdout',
    flags: { stdio: { type: 'boolean', help: 'what editors add; there is no other way' } },
  },
  worker: {
    usage: 'worker check -- CMD...',
    help: 'does a worker of a plugin keep to the protocol (docs/protocol.md)',
    flags: { json: JSON_FLAG },
  },
  explain: {
    usage: 'explain <code|stage|metric>',
    help: 'what a message, a stage kind or a metric means',
    flags: {},
  },
}

export interface Command {
  readonly verb: string
  readonly args: readonly string[]
  readonly flags: Readonly<Record<string, string | boolean | readonly string[] | undefined>>
}

/** The user asked for help, or typed something that is no command. */
export class Usage extends Error {
  readonly mistake: boolean
  constructor(text: string, mistake: boolean) {
    super(text)
    this.mistake = mistake
  }
}

export function parseCommand(argv: readonly string[]): Command {
  const at = argv.findIndex((word, i) => !word.startsWith('-') && !takesValue(argv[i - 1]))
  const verb = at === -1 ? undefined : argv[at]
  if (verb === undefined && (argv.includes('--version') || argv.includes('-v')))
    return { verb: 'version', args: [], flags: {} }
  if (verb === undefined || verb === 'help') {
    const mistake = argv.length > 0 && verb !== 'help' && !argv.includes('--help') && !argv.includes('-h')
    const asked = own(VERBS, verb === 'help' ? (argv[at + 1] ?? '') : '')
    if (asked !== undefined) throw new Usage(verbHelp(asked), false)
    if (!mistake) throw new Usage(overview(), false)
    const near = didYouMean((argv[0] ?? '').replace(/^-+/, ''), Object.keys(GLOBAL))
    const guess = near === null ? '' : `; did you mean --${near}?`
    throw new Usage(`a command is missing before ${argv[0] ?? ''}${guess}\n  help: sluice --help`, true)
  }
  const known = VERBS[verb]
  if (known === undefined) {
    const near = didYouMean(verb, Object.keys(VERBS))
    throw new Usage(
      `there is no command '${verb}'${near === null ? '' : `; did you mean '${near}'?`}\n  help: sluice --help`,
      true,
    )
  }
  const flags = { ...GLOBAL, ...known.flags }
  let parsed
  try {
    parsed = parseArgs({
      args: [...argv.slice(0, at), ...argv.slice(at + 1)],
      options: Object.fromEntries(
        Object.entries(flags).map(([name, { type, short, multiple }]) => [
          name,
          { type, ...(short === undefined ? {} : { short }), multiple: multiple ?? false },
        ]),
      ),
      allowPositionals: true,
    })
  } catch (error) {
    const word = /'(?<flag>--?[^' =]+)/.exec((error as Error).message)?.groups?.['flag'] ?? ''
    const near = didYouMean(word.replace(/^-+/, ''), Object.keys(flags))
    const unknown = (error as NodeJS.ErrnoException).code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION'
    const what = unknown
      ? `'${verb}' has no option ${word}${near === null ? '' : `; did you mean --${near}?`}`
      : (error as Error).message
    throw new Usage(`${what}\n  help: sluice ${verb} --help`, true)
  }
  if (parsed.values['help'] === true) throw new Usage(verbHelp(known), false)
  return { verb, args: parsed.positionals, flags: parsed.values as Command['flags'] }
}

/** Whether the next word is this option's value, as in `sluice -C DIR plan`. */
function takesValue(word: string | undefined): boolean {
  const flags = [GLOBAL, ...Object.values(VERBS).map((verb) => verb.flags)].flatMap(Object.entries<Flag>)
  return flags.some(
    ([name, { type, short }]) => type === 'string' && (word === `--${name}` || word === `-${short ?? '-'}`),
  )
}

function overview(): string {
  const verbs = Object.values(VERBS).map(({ usage, help }) => `  ${usage.padEnd(29)}${help}`)
  return [
    'sluice: fine-tuning pipelines with caching and quality gates',
    '',
    ...verbs,
    '',
    'Options of every command:',
    ...flagLines(GLOBAL),
    `  ${'-v, --version'.padEnd(29)}show the version of sluice`,
    '',
    'Exit codes: 0 done and passed, 1 a stage failed, 2 bad file or command, 3 gate failed, 4 gate undecided,',
    '5 waiting for people, 6 environment (worker lost, disk, Node), 130 interrupted, 143 terminated,',
    '10 plan --check, lock --check or fmt --check: something would run or change',
  ].join('\n')
}

function verbHelp(verb: Verb): string {
  return [`sluice ${verb.usage}`, '', `  ${verb.help}`, '', ...flagLines({ ...verb.flags, ...GLOBAL })].join(
    '\n',
  )
}

function flagLines(flags: Readonly<Record<string, Flag>>): readonly string[] {
  return Object.entries(flags).map(([name, { short, value, help }]) => {
    const long = `--${name}${value === undefined ? '' : ` ${value}`}`
    return `  ${`${short === undefined ? '    ' : `-${short}, `}${long}`.padEnd(29)}${help}`
  })
}
