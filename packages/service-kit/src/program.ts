import { parseArgs } from 'node:util'
import type { Static, TObject, TSchema } from 'typebox'
import { ConfigError, loadConfig } from './config.ts'
import { loggable, reasonOf } from './loggable.ts'
import { build } from './version.ts'

export interface Program<Settings extends TObject> {
  /** The name of its file in `.build/programs`, and of its npm script if it has one. */
  name: string
  /** One sentence for `--help`. */
  summary: string
  /** Its words and options, a line each, for `--help`. */
  usage?: string[]
  /** The settings that it reads from the environment. */
  settings: Settings
  /** Settings that it reads only in some installations; `--help` lists them too. */
  otherSettings?: TObject
  /** Names of its options, which have no values. */
  options?: string[]
  /** Names of its options that have a value. */
  values?: string[]
  /** Whether words may follow its name. */
  takesWords?: boolean
}

interface Arguments {
  options: Set<string>
  /** The values of options, by their names. */
  values: Map<string, string>
  words: string[]
}

/** The command line is not valid. The message says what is wrong. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** A server that a program needs cannot be used. The message is one sentence with host, port and reason. */
class UnreachableError extends Error {
  override name = 'UnreachableError'
}

const usualPorts: Record<string, number> = {
  postgres: 5432,
  postgresql: 5432,
  redis: 6379,
  rediss: 6379,
  'redis+sentinel': 26_379,
  'rediss+sentinel': 26_379,
  http: 80,
  https: 443,
}

/** Host and port of a URL, without the password and all else. */
function addressOf(url: string): string {
  if (!URL.canParse(url)) return 'the address in the settings'
  const { hostname, port, protocol } = new URL(url)
  return `${hostname}:${port || usualPorts[protocol.slice(0, -1).replace('+cluster', '')]}`
}

/**
 * Does what needs a server. If that fails, it throws an error whose message is one sentence: which part, where, and why.
 * `url` is the one in the settings, if there is one.
 */
export async function reach<T>(part: string, url: string | undefined, use: () => Promise<T>): Promise<T> {
  try {
    return await use()
  } catch (cause) {
    const place = url ? ` at ${addressOf(url)}` : ''
    throw new UnreachableError(`${part}${place} cannot be used: ${reasonOf(cause)}.`, { cause })
  }
}

type Setting = TSchema & { default?: unknown; unless?: string[]; requiredWith?: string[]; description?: string }

/** What may be said of a setting beside its name: its default, or when it is required. */
function needOf({ default: usual, unless, requiredWith }: Setting, isRequired: boolean): string {
  if (usual !== undefined) return ` (default ${usual})`
  if (unless) return ` (required unless ${unless.join(' or ')} is set)`
  if (requiredWith) return ` (required with ${requiredWith.join(' or ')})`
  return isRequired ? ' (required)' : ''
}

function describe(schema: TObject): [name: string, text: string][] {
  const properties: Record<string, Setting> = schema.properties
  return Object.entries(properties).map(([name, setting]) => {
    const need = needOf(setting, schema.required?.includes(name) ?? false)
    return [name, `  ${name}${need}\n      ${setting.description ?? ''}`]
  })
}

function helpOf({ name, summary, usage = [], settings, otherSettings }: Program<TObject>): string {
  const own = [...usage, '--help     prints this', '--version  prints the version'].map((line) => `  ${line}`)
  const described = new Map([...describe(settings), ...(otherSettings ? describe(otherSettings) : [])])
  return [`${name}: ${summary}`, '', ...own, '', 'Settings, from the environment:', ...described.values()].join('\n')
}

function read({ options = [], values = [], takesWords = false }: Program<TObject>): Arguments & { asksFor?: string } {
  const flags = Object.fromEntries([...options, 'version'].map((name) => [name, { type: 'boolean' as const }]))
  const texts = Object.fromEntries(values.map((name) => [name, { type: 'string' as const }]))
  try {
    const { values: found, positionals } = parseArgs({
      options: { ...flags, ...texts, help: { type: 'boolean', short: 'h' } },
      allowPositionals: takesWords,
    })
    const given = new Set(Object.keys(found))
    const asksFor = ['help', 'version'].find((name) => given.has(name))
    const told = Object.entries(found).flatMap(([name, value]): [string, string][] =>
      typeof value === 'string' ? [[name, value]] : [],
    )
    return { options: given, values: new Map(told), words: positionals, ...(asksFor && { asksFor }) }
  } catch {
    // parseArgs repeats what was typed, and explains its own grammar.
    throw new UsageError('There is an argument that it does not know')
  }
}

/** One sentence where an operator can act on it; of any other failure what is known, without its source code. */
function explain(name: string, error: unknown): string {
  if (error instanceof ConfigError || error instanceof UnreachableError) return `${name}: ${error.message}`
  if (error instanceof UsageError) return `${name}: ${error.message}. See --help.`
  return `${name} failed: ${reasonOf(error)}\n${JSON.stringify(loggable(error))}`
}

/**
 * Begins a service, the worker or a command: answers `--help` and `--version` and ends then, else reads the settings and the
 * command line. From then on an exception that nobody catches is explained on stderr. It ends the process with code 1, and
 * with 2 when the command line is wrong.
 */
export function beginProgram<Settings extends TObject>(
  program: Program<Settings>,
): Arguments & { config: Static<Settings> } {
  process.on('uncaughtException', (error) => {
    console.error(explain(program.name, error))
    process.exit(error instanceof UsageError ? 2 : 1)
  })
  const { asksFor, ...given } = read(program)
  if (asksFor) {
    console.log(asksFor === 'help' ? helpOf(program) : `${build.version} (${build.commit})`)
    process.exit()
  }
  return { ...given, config: loadConfig(program.settings, process.env) }
}
