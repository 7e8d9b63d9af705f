import { parseArgs } from 'node:util'
import { UsageError } from '@playtherapy/service-kit'
import { homeDirectory } from './data-directory.ts'
import { parsed, wholeNumber } from './options.ts'

export const tokenUsage = `npm run -s token -- [options]

  --user N         the therapist's id, the claim user_id (default 1, the demo account, unless a scope is given)
  --scope SCOPE    what else it opens: operations, for operators (without --user it opens nothing of a therapist), or
                   reports:write, for the analysis system (never with --user)
  --hours N        how long the token is valid, up to 8784, which is 366 days (default 24)
  --data-dir DIR   the data of npm start, whose secret signs it (default .playtherapy in this project)
  --settings FILE  settings to read JWT_SECRET, JWT_AUDIENCE and JWT_ISSUER from, such as the .env of Compose

The secret is JWT_SECRET of the environment, then of the file, then that of npm start; of several the
first one signs. Where JWT_PUBLIC_KEY or JWT_JWKS_URL is set, only the sign-in service can sign.`

const scopes = ['operations', 'reports:write']

const parse = (args: string[]) =>
  parseArgs({
    args,
    options: {
      user: { type: 'string' },
      scope: { type: 'string' },
      hours: { type: 'string', default: '24' },
      'data-dir': { type: 'string', default: homeDirectory },
      settings: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  }).values

/** Reads the command line of `npm run token`; returns `help` when only that was asked for. Throws UsageError. */
export function readTokenOptions(args: string[]) {
  const values = parsed(parse, args)
  if (values.help) return 'help'
  const { user, scope } = values
  if (scope !== undefined && !scopes.includes(scope)) throw new UsageError(`--scope takes one of: ${scopes.join(', ')}`)
  if (scope === 'reports:write' && user !== undefined) throw new UsageError('--scope reports:write takes no --user')
  const userId =
    user === undefined && scope !== undefined ? undefined : wholeNumber('user', user ?? '1', 1, 2_147_483_647)
  return {
    claims: { ...(userId !== undefined && { user_id: userId }), ...(scope !== undefined && { scope }) },
    hours: wholeNumber('hours', values.hours, 1, 8_784),
    dataDirectory: values['data-dir'],
    settingsFile: values.settings,
  }
}
