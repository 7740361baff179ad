/** argv -> exit code. The only place that turns what went wrong into words on stderr. */
import { Usage, parseCommand } from './options.ts'
import type { Command } from './options.ts'

/** Runs one command; `buildDir` is where the workers and the notes of the build lie. */
export async function main(argv: readonly string[], buildDir: string): Promise<number> {
  // A reader that goes away (`sluice plan | head`) is no error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  // Until it is read, what goes wrong is said as text.
  let command: Command = { verb: '', args: [], flags: {} }
  try {
    command = enter(parseCommand(argv))
    return await dispatch(command, buildDir)
  } catch (error) {
    return report(error, command, buildDir)
  }
}

/** `-C DIR`: from here on every relative path begins there. */
function enter(command: Command): Command {
  const { directory, ...flags } = command.flags
  if (typeof directory !== 'string') return command
  try {
    process.chdir(directory)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'there is no such folder' : code === 'ENOTDIR' ? 'it is no folder' : null
    if (why === null) throw error
    throw new Usage(`-C ${directory}: ${why}`, true)
  }
  return { ...command, flags }
}

async function dispatch(command: Command, buildDir: string): Promise<number> {
  switch (command.verb) {
    case 'version': {
      const { readBuild } = await import('./project.ts')
      process.stdout.write(`sluice ${readBuild(buildDir).version}\n`)
      return 0
    }
    case 'run':
      if (command.flags['watch'] === true) {
        const tell = (error: unknown) => report(error, command, buildDir)
        return (await import('./commands/watch.ts')).watchCommand(command, buildDir, tell)
      }
      return (await import('./commands/run.ts')).runCommand(command, buildDir)
    case 'plan':
      return (await import('./commands/plan.ts')).planCommand(command, buildDir)
    case 'why':
      return (await import('./commands/why.ts')).whyCommand(command, buildDir)
    case 'validate':
      return (await import('./commands/validate.ts')).validateCommand(command, buildDir)
    case 'fmt':
      return (await import('./commands/fmt.ts')).fmtCommand(command, buildDir)
    case 'gate':
      return (await import('./commands/gate.ts')).gateCommand(command, buildDir)
    case 'baseline':
      return (await import('./commands/baseline.ts')).baselineCommand(command, buildDir)
    case 'lock':
      return (await import('./commands/lock.ts')).lockCommand(command, buildDir)
    case 'cache':
      return (await import('./commands/cache.ts')).cacheCommand(command, buildDir)
    case 'gc':
      return (await import('./commands/gc.ts')).gcCommand(command)
    case 'graph':
      return (await import('./commands/graph.ts')).graphCommand(command, buildDir)
    case 'show':
      return (await import('./commands/show.ts')).showCommand(command, buildDir)
    case 'logs':
      return (await import('./commands/logs.ts')).logsCommand(command, buildDir)
    case 'metrics':
      return command.flags['all'] === true
        ? (await import('./commands/runs.ts')).allMetricsCommand(command, buildDir)
        : (await import('./commands/metrics.ts')).metricsCommand(command, buildDir)
    case 'report':
      return (await import('./commands/report.ts')).reportCommand(command, buildDir)
    case 'export':
      return (await import('./commands/export.ts')).exportCommand(command, buildDir)
    case 'runs':
      return (await import('./commands/runs.ts')).runsCommand(command, buildDir)
    case 'diff':
      return (await import('./commands/diff.ts')).diffCommand(command, buildDir)
    case 'doctor':
      return (await import('./commands/doctor.ts')).doctorCommand(command, buildDir)
    case 'init':
      return (await import('./commands/init.ts')).initCommand(command)
    case 'schema':
      return (await import('./commands/schema.ts')).schemaCommand(command, buildDir)
    case 'lsp':
      return (await import('./commands/lsp.ts')).lspCommand(command, buildDir)
    case 'worker':
      return (await import('./commands/worker.ts')).workerCommand(command)
    case 'explain':
      return (await import('./commands/explain.ts')).explainCommand(command, buildDir)
    default:
      throw new Error(`bug: ${command.verb} has no code`)
  }
}

async function report(error: unknown, command: Command, buildDir: string): Promise<number> {
  if (error instanceof Usage) {
    const stream = error.mistake ? process.stderr : process.stdout
    stream.write(`${error.message}\n`)
    return error.mistake ? 2 : 0
  }
  // Before anything is loaded: there may be no file left to open.
  const words = machineWords(error as NodeJS.ErrnoException)
  if (words !== null) {
    process.stderr.write(words)
    return 6
  }
  const { MachineProblem } = await import('./machine.ts')
  if (error instanceof MachineProblem) {
    process.stderr.write(`${error.message}\n`)
    return 6
  }
  const { HubTrouble } = await import('../engine/hub/trouble.ts')
  if (error instanceof HubTrouble) {
    process.stderr.write(`${error.message}\n  help: ${error.help}\n`)
    return error.kind === 'request' ? 2 : 6
  }
  const { Interrupted } = await import('./interrupted.ts')
  if (error instanceof Interrupted) {
    process.stderr.write(`\n${error.message}\n`)
    return error.exitCode
  }
  const { FileProblem, readBuild, rootAbove } = await import('./project.ts')
  const { LockError } = await import('../engine/lock-file.ts')
  if (error instanceof FileProblem || error instanceof LockError) {
    const { formatOf, sayDiagnostics } = await import('./say.ts')
    const diagnostics = error instanceof LockError ? [error.diagnostic] : error.diagnostics
    const root = error instanceof LockError ? rootAbove(process.cwd()) : error.root
    await sayDiagnostics(
      { diagnostics, root, version: readBuild(buildDir).version },
      command,
      formatOf(command),
    )
    return 2
  }
  const { message, stack } = error as Error
  process.stderr.write(
    `sluice failed: ${message}\n${stack ?? ''}\n  help: this is a mistake of sluice; please report it with the lines above\n`,
  )
  return 1
}

/** What the disk or the limits of the machine did to us; null if it was something else. */
function machineWords({ code, path, message }: NodeJS.ErrnoException): string | null {
  if (code === undefined) return null
  if (['ENOSPC', 'EROFS', 'EACCES', 'EPERM', 'EMFILE', 'EDQUOT'].includes(code)) {
    const place = path === undefined ? '' : ` ${path}`
    const help =
      code === 'EMFILE' ? 'raise the limit: ulimit -n 4096' : 'check the space and the owner of the disk'
    return `cannot write${place}: ${message}\n  help: ${help}; nothing that was finished is lost\n`
  }
  if (['EEXIST', 'ENOTDIR', 'EISDIR'].includes(code) && path !== undefined)
    return `something else stands where sluice needs a file or folder: ${path}\n  help: move it away and run again\n`
  return null
}
