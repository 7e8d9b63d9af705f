/** `npm run token`: prints a token of a therapist, or of whom else a scope names. */
import { readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { loadEnvFile } from 'node:process'
import { ConfigError, HttpSettings, loadConfig, UsageError } from '@playtherapy/service-kit'
import { Type } from 'typebox'
import { readTokenOptions, tokenUsage } from './token-options.ts'
import { tokenSigner } from './tokens.ts'

function loadFile(path: string): void {
  try {
    loadEnvFile(path)
  } catch {
    throw new ConfigError(`The settings in ${path} cannot be read.`)
  }
}

const { JWT_SECRET, JWT_AUDIENCE, JWT_ISSUER } = HttpSettings
const Settings = Type.Object({ JWT_SECRET, JWT_AUDIENCE, JWT_ISSUER })

async function main(): Promise<void> {
  const options = readTokenOptions(process.argv.slice(2))
  if (options === 'help') return console.log(tokenUsage)
  const { claims, hours, dataDirectory, settingsFile } = options
  if (settingsFile !== undefined) loadFile(settingsFile)
  const foreign = ['JWT_PUBLIC_KEY', 'JWT_JWKS_URL'].find((name) => process.env[name])
  if (foreign) {
    throw new ConfigError(`${foreign} is set: only the sign-in service, which has the private key, can sign tokens.`)
  }
  const settings = loadConfig(Settings, process.env)
  const kept = () => readFile(join(dataDirectory, 'jwt-secret'), 'utf8').catch(() => undefined)
  const secret = settings.JWT_SECRET ?? (await kept())
  if (!secret) {
    const where = relative(process.cwd(), dataDirectory) || '.'
    throw new ConfigError(
      `There is no secret in ${where}: run npm start once, set JWT_SECRET, or name a file by --settings.`,
    )
  }
  console.log(tokenSigner({ ...settings, JWT_SECRET: secret })(claims, hours))
}

main().catch((error: unknown) => {
  const isUsage = error instanceof UsageError
  console.error(error instanceof Error ? error.message : error)
  if (isUsage) console.error('`npm run token -- --help` lists the options.')
  process.exitCode = isUsage ? 2 : 1
})
