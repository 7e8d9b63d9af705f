import { parseArgs } from 'node:util'
import { UsageError } from '@playtherapy/service-kit'
import { homeDirectory } from './data-directory.ts'

export const usage = `npm start -- [options]

  --port N        port of all services (default 8080)
  --data-dir DIR  where data is kept between runs (default .playtherapy in this project)
  --ephemeral     keep nothing
  --workers N     worker processes, 0 for none (default 1)
  --no-demo       start only
  --once          run the demo, stop everything, exit 0 only if all of it worked
  --version       print the version

JWT_SECRET, DATABASE_URL, QUEUE_URL and S3_* in the environment replace the embedded parts. Of services/settings.md those of
the worker are read, too, and JWT_AUDIENCE, JWT_ISSUER, CORS_ORIGINS, DATE_TIME_ZONE, UPLOAD_LIMIT_BYTES and
REQUESTS_PER_MINUTE. JWT_PUBLIC_KEY and JWT_JWKS_URL are refused, because npm start signs tokens of its own.`

export interface StackOptions {
  port: number
  /** Undefined for a new folder that is removed at the end. */
  dataDirectory: string | undefined
  workers: number
  demo: boolean
  once: boolean
}

/** Reads a whole number within these bounds. Throws UsageError. */
export function wholeNumber(name: string, text: string, least: number, most: number): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) < least || Number(text) > most) {
    throw new UsageError(`--${name} takes a number from ${least} to ${most}`)
  }
  return Number(text)
}

/** Runs parseArgs on a command line. Throws UsageError with its words. */
export function parsed<Values>(parse: (args: string[]) => Values, args: string[]): Values {
  try {
    return parse(args)
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'unknown option')
  }
}

/** Reads the command line; returns `help` or `version` when only that was asked for. Throws UsageError. */
export function readOptions(args: string[]): StackOptions | 'help' | 'version' {
  const values = parsed(parse, args)
  if (values.help) return 'help'
  if (values.version) return 'version'
  if (values.ephemeral && values['data-dir'])
    throw new UsageError('--ephemeral keeps no data and --data-dir keeps it: use one of them')
  return {
    port: wholeNumber('port', values.port, 1, 65_535),
    dataDirectory: values.ephemeral ? undefined : (values['data-dir'] ?? homeDirectory),
    workers: wholeNumber('workers', values.workers, 0, 64),
    demo: !values['no-demo'],
    once: values.once,
  }
}

const parse = (args: string[]) =>
  parseArgs({
    args,
    options: {
      port: { type: 'string', default: '8080' },
      'data-dir': { type: 'string' },
      ephemeral: { type: 'boolean', default: false },
      workers: { type: 'string', default: '1' },
      'no-demo': { type: 'boolean', default: false },
      once: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      version: { type: 'boolean', default: false },
    },
  }).values
