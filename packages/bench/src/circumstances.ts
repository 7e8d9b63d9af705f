import { execFile } from 'node:child_process'
import { cpus, totalmem } from 'node:os'
import { promisify } from 'node:util'
import manifest from '../../../package.json' with { type: 'json' }

const run = promisify(execFile)

/** Date, machine and versions of a run. Without them, figures of two runs cannot be compared. */
export interface Circumstances {
  /** The day, as YYYY-MM-DD. */
  date: string
  version: string
  /** Ends in `+` if files differ from that commit; `unknown` without git. */
  commit: string
  /** The versions of Node and of each server, by program. */
  versions: Record<string, string>
  machine: string
}

/** The option with which each program prints its version. */
const versionOptions = { ffmpeg: '-version', nginx: '-v', radosgw: '--version', 'redis-server': '--version' }

/** Returns a program and its version; nginx prints it to stderr. */
const versionOf = async ([program, option]: [string, string]): Promise<[string, string]> => {
  const { stdout, stderr } = await run(program, [option])
  return [program, /\d+(\.\d+)+/.exec(stdout || stderr)?.[0] ?? 'unknown']
}

async function commitOf(): Promise<string> {
  const git = async (...args: string[]) => (await run('git', args, { cwd: import.meta.dirname })).stdout.trim()
  try {
    return (await git('rev-parse', '--short', 'HEAD')) + ((await git('status', '--porcelain')) && '+')
  } catch {
    return 'unknown'
  }
}

/** Reads the circumstances of this run from the machine and from the programs that the rows use. */
export async function circumstances(): Promise<Circumstances> {
  const processors = cpus()
  return {
    date: new Date().toISOString().slice(0, 10),
    version: manifest.version,
    commit: await commitOf(),
    versions: {
      node: process.versions.node,
      ...Object.fromEntries(await Promise.all(Object.entries(versionOptions).map(versionOf))),
    },
    machine: `${processors.length} × ${processors[0]?.model.trim()}, ${Math.round(totalmem() / 1024 ** 3)} GiB`,
  }
}
