import { readFile } from 'node:fs/promises'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { parse } from 'yaml'

/** What docker-compose.yml gives a container. */
export interface Container {
  environment: Record<string, string>
  memoryBytes: number
  /** Cores, or parts of one. */
  cpus: number
}

const Compose = Type.Object({
  services: Type.Record(
    Type.String(),
    Type.Object({
      environment: Type.Optional(
        Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()])),
      ),
      mem_limit: Type.Optional(Type.String({ pattern: '^[0-9]+[kmg]$' })),
      cpus: Type.Optional(Type.Number()),
    }),
  ),
})

const unitBytes: Record<string, number> = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 }

/** Fills `${NAME}`, `${NAME:-default}` and `${NAME:?message}` in, as Docker Compose does with an `.env` file. */
const interpolate = (text: string, values: Record<string, string>) =>
  text.replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind?: string, rest = '') => {
    const value = values[name]
    if (value) return value
    if (kind === '?') throw new Error(`docker-compose.yml requires ${name}, for which there is no value here`)
    return rest
  })

/**
 * Reads the containers of a Compose file by name. `values` are the variables of its `.env`. Throws an error when one
 * that the file requires is missing.
 */
export async function readCompose(file: string, values: Record<string, string>): Promise<Map<string, Container>> {
  const { services } = Value.Parse(Compose, parse(await readFile(file, 'utf8'), { merge: true }))
  const containers = Object.entries(services).map(([name, service]) => {
    const limit = service.mem_limit ?? ''
    const environment = Object.entries(service.environment ?? {}).map(([key, value]) => [
      key,
      interpolate(`${value ?? ''}`, values),
    ])
    const container: Container = {
      environment: Object.fromEntries(environment),
      memoryBytes: limit ? Number.parseInt(limit, 10) * (unitBytes[limit.slice(-1)] ?? 1) : Number.POSITIVE_INFINITY,
      cpus: service.cpus ?? Number.POSITIVE_INFINITY,
    }
    return [name, container] as const
  })
  return new Map(containers)
}
