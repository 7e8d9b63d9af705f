import { Ajv } from 'ajv'
import { type Static, type TObject, type TSchema, Type } from 'typebox'
import { ajvOptions } from './validation.ts'

/** The list that Intl can give out leaves out UTC and other valid names, so it is asked about the one. */
function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

// The validator of requests, which every service loads anyway.
const ajv = new Ajv({
  ...ajvOptions,
  allErrors: true,
  formats: { 'time-zone': isTimeZone },
})

/** The environment is wrong; `message` lists every fault by variable, and no value. */
export class ConfigError extends Error {
  override name = 'ConfigError'
  constructor(message: string) {
    super(message)
    // The operator who reads it at boot has no use for our frames.
    this.stack = message
  }
}

/** What a text stands for; a text that stands for nothing of the kind stays one, and is found to be wrong. */
function read(text: string, schema: TSchema): unknown {
  if (Type.IsInteger(schema) && /^-?\d+$/.test(text)) return Number(text)
  if (Type.IsBoolean(schema) && /^(true|false)$/.test(text)) return text === 'true'
  return text
}

/**
 * Reads a process's settings from its environment: an object schema whose keys are variable names. Texts become
 * integers and booleans where the schema says so, defaults are filled in, an empty variable counts as unset. A variable
 * whose schema has `unless: OTHER` is required unless that other one is set. Throws ConfigError with all faults at once.
 */
export function loadConfig<T extends TObject>(schema: T, env: NodeJS.ProcessEnv): Static<T> {
  const config: Record<string, unknown> = {}
  const properties: Record<string, TSchema & { default?: unknown; unless?: string }> = schema.properties
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
      if (error) faults.push(`${name} ${error.message}`)
    } else if (schema.required?.includes(name)) {
      faults.push(`${name} is required`)
    } else if (property.unless && property.unless in properties && !env[property.unless]) {
      faults.push(`${name} is required unless ${property.unless} is set`)
    }
  }
  if (faults.length === 0 && isValid) return config
  throw new ConfigError(['The configuration is not valid:', ...faults].join('\n  '))
}
