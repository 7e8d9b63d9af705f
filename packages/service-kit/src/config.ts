import type { Static, TObject } from 'typebox'
import { Value } from 'typebox/value'

/** The environment is wrong; `message` lists every fault by variable, and no value. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

/**
 * Reads a process's settings from its environment: an object schema whose keys are variable names. Texts become
 * numbers and booleans where the schema says so, defaults are filled in, an empty variable counts as unset.
 * Throws ConfigError with all faults at once.
 */
export function loadConfig<T extends TObject>(schema: T, env: NodeJS.ProcessEnv): Static<T> {
  const given: Record<string, unknown> = {}
  for (const name of Object.keys(schema.properties)) if (env[name]) given[name] = env[name]
  const config: unknown = Value.Convert(schema, Value.Default(schema, given))
  if (Value.Check(schema, config)) return config
  const faults = new Map<string, string>()
  for (const error of Value.Errors(schema, config)) {
    const missing = error.keyword === 'required' ? error.params.requiredProperties : []
    for (const name of missing) faults.set(name, 'is required')
    const name = error.instancePath.split('/')[1]
    if (name && !faults.has(name)) faults.set(name, error.message)
  }
  const lines = [...faults].map(([name, text]) => `  ${name} ${text}`)
  throw new ConfigError(`The configuration is not valid:\n${lines.join('\n')}`)
}
