import { execFile } from 'node:child_process'
import { cpus, totalmem } from 'node:os'
import { promisify } from 'node:util'
import manifest from '../../../package.json' with { type: 'json' }

const run = promisify(execFile)

/** When, on what and with which versions a run was made: without these a figure cannot be compared with another. */
export interface Circumstances {
  /** The day, as YYYY-MM-DD. */
  date: string
  version: string
  /** With `+` behind it where files differ from that commit; `unknown` without git. */
  commit: string
  /** Node, and the first line that each server prints for its version. */
  versions: Record<string, string>
  /** Processors and memory. */
  machine: string
}

/** How each program is asked for its version. */
const questions = { ffmpeg: '-version', nginx: '-v', radosgw: '--version', 'redis-server': '--version' }

/** The version in what a program prints; nginx prints it to stderr. */
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

/** Asks the machine and the programs that the rows run. */
export async function circumstances(): Promise<Circumstances> {
  const processors = cpus()
  return {
    date: new Date().toISOString().slice(0, 10),
    version: manifest.version,
    commit: await commitOf(),
    versions: {
      node: process.versions.node,
      ...Object.fromEntries(await Promise.all(Object.entries(questions).map(versionOf))),
    },
    machine: `${processors.length} × ${processors[0]?.model.trim()}, ${Math.round(totalmem() / 1024 ** 3)} GiB`,
  }
}
