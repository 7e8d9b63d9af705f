import { Ajv } from 'ajv'
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

// The same validator that checks requests, so that a service loads only one.
const ajv = new Ajv({ ...ajvOptions, allErrors: true, formats: { 'time-zone': isTimeZone } })

/** The environment is not valid. `message` lists every fault by its variable, and no value. */
export class ConfigError extends Error {
  override name = 'ConfigError'
  constructor(message: string) {
    super(message)
    // The operator reads this when the process starts; our stack frames would not help.
    this.stack = message
  }
}

/** Converts a text to the type of its schema. A text that cannot be converted is returned, and the validation refuses it. */
function read(text: string, schema: TSchema): unknown {
  if (Type.IsInteger(schema) && /^-?\d+$/.test(text)) return Number(text)
  if (Type.IsBoolean(schema) && /^(true|false)$/.test(text)) return text === 'true'
  return text
}

/** What is wrong with a variable. Of a choice, the validator's own words would not name what may be chosen. */
function wordsFor(schema: TSchema, message = 'is not valid'): string {
  const choices = Type.IsUnion(schema) ? schema.anyOf.filter(Type.IsLiteral).map(({ const: choice }) => choice) : []
  return choices.length > 0 ? `must be one of ${choices.join(', ')}` : message
}

/**
 * Reads the settings of a process from its environment. The keys of `schema` are the names of the variables. Texts are
 * converted to integers and booleans where the schema says so, defaults are filled in, and an empty variable counts as
 * not set. A variable whose schema has `unless` is required unless one of the variables named there is set, and one with
 * `requiredWith` if one of those is set. Throws ConfigError with all faults at once.
 */
export function loadConfig<T extends TObject>(schema: T, env: NodeJS.ProcessEnv): Static<T> {
  const config: Record<string, unknown> = {}
  const properties: Record<string, TSchema & { default?: unknown; unless?: string[]; requiredWith?: string[] }> =
    schema.properties
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
      if (error) faults.push(`${name} ${wordsFor(property, error.message)}`)
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
  throw new ConfigError(['The configuration is not valid:', ...faults].join('\n  '))
}
