import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Ajv, type ErrorObject } from 'ajv'
import { type Static, type TObject, type TSchema, Type } from 'typebox'
import { ajvOptions } from './validation.ts'

/** Asks Intl about this one name, because the list that Intl can return lacks UTC and other valid names. */
function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** Node.js only warns of a file that it cannot read, and connections fail later. */
function holdsCertificates(path: string): boolean {
  try {
    new X509Certificate(readFileSync(path, 'utf8'))
    return true
  } catch {
    return false
  }
}

// The same validator that checks requests, so that a service loads only one.
const formats = { 'time-zone': isTimeZone, certificates: holdsCertificates }
const ajv = new Ajv({ ...ajvOptions, allErrors: true, formats })

/** The environment is not valid. `message` lists every fault by its variable, and no value. */
export class ConfigError extends Error {
  override name = 'ConfigError'
  constructor(message: string) {
    super(message)
    // The operator reads this when the process starts; our stack frames would not help.
    this.stack = message
  }
}

/** The error for settings with these faults, none of which may hold a value. */
export const invalidSettings = (...faults: string[]): ConfigError =>
  new ConfigError(['The configuration is not valid:', ...faults].join('\n  '))

/** Converts a text to the type of its schema. A text that cannot be converted is returned, and the validation refuses it. */
function read(text: string, schema: TSchema): unknown {
  if (Type.IsInteger(schema) && /^-?\d+$/.test(text)) return Number(text)
  if (Type.IsNumber(schema) && /^\d+(\.\d+)?$/.test(text)) return Number(text)
  if (Type.IsBoolean(schema) && /^(true|false)$/.test(text)) return text === 'true'
  return text
}

/** What a schema may say of a variable, beside its type. */
type Setting = TSchema & { default?: unknown; fault?: string; unless?: string[]; requiredWith?: string[] }

/** What is wrong with a variable. Of a choice, a pattern or a format, the validator's own words would not say what is allowed. */
function wordsFor(schema: Setting, { keyword, message = 'is not valid' }: ErrorObject): string {
  const choices = Type.IsUnion(schema) ? schema.anyOf.filter(Type.IsLiteral).map(({ const: choice }) => choice) : []
  if (choices.length > 0) return `must be one of ${choices.join(', ')}`
  return (['pattern', 'format'].includes(keyword) && schema.fault) || message
}

/**
 * Reads the settings of a process from its environment. The keys of `schema` are the names of the variables. Texts are
 * converted to integers and booleans where the schema says so, defaults are filled in, and an empty variable counts as
 * not set. A variable whose schema has `unless` is required unless one of the variables named there is set, and one with
 * `requiredWith` if one of those is set. Throws ConfigError with all faults at once.
 */
export function loadConfig<T extends TObject>(schema: T, env: NodeJS.ProcessEnv): Static<T> {
  const config: Record<string, unknown> = {}
  const properties: Record<string, Setting> = schema.properties
  for (const [name, property] of Object.entries(properties)) {
    const text = env[name]
    const value = text ? read(text, property) : property.default
    if (value !== undefined) config[name] = value
  }
  const isValid = ajv.validate<Static<T>>(schema, config)
  const faults: string[] = []
  for (const [name, property] of Object.entries(properties)) {
    if (name in config) {
      const error = ajv.errors?.find(({ instancePath }) => instancePath === `/${name}`)
      if (error) faults.push(`${name} ${wordsFor(property, error)}`)
    } else if (schema.required?.includes(name)) {
      faults.push(`${name} is required`)
    } else if (property.unless?.some((other) => other in properties) && !property.unless.some((other) => env[other])) {
      faults.push(`${name} is required unless ${property.unless.join(' or ')} is set`)
    } else {
      const other = property.requiredWith?.find((given) => env[given])
      if (other) faults.push(`${name} is required with ${other}`)
    }
  }
  if (faults.length === 0 && isValid) return config
  throw invalidSettings(...faults)
}
