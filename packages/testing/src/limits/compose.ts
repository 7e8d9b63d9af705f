import { readFile } from 'node:fs/promises'
import type { S3Settings } from '@playtherapy/object-store'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { parse } from 'yaml'

/** The values that an operator of the Compose file chooses. */
interface Operator {
  bucket: S3Settings
  jwtSecret: string
  /** The gateway's address for browsers. */
  publicUrl: string
}

/** The environment and the limits of a container in docker-compose.yml. */
export interface Container {
  environment: Record<string, string>
  memoryBytes: number
  /** CPU cores; may be a fraction. */
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

/** Replaces `${NAME}`, `${NAME:-default}` and `${NAME:?message}`, as Docker Compose does with an `.env` file. */
const interpolate = (text: string, values: Record<string, string>) =>
  text.replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind?: string, rest = '') => {
    const value = values[name]
    if (value) return value
    if (kind === '?') throw new Error(`docker-compose.yml requires ${name}, for which there is no value here`)
    return rest
  })

/** The values of the `.env` file. Those for servers that are replaced here are required but not used. */
const variables = ({ bucket, jwtSecret, publicUrl }: Operator): Record<string, string> => ({
  JWT_SECRET: jwtSecret,
  POSTGRES_PASSWORD: 'unused',
  CONTENTS_DATABASE_PASSWORD: 'unused',
  MEDIA_DATABASE_PASSWORD: 'unused',
  SCRIPT_DATABASE_PASSWORD: 'unused',
  WORKER_DATABASE_PASSWORD: 'unused',
  S3_ACCESS_KEY_ID: bucket.accessKeyId,
  S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
  S3_UPLOAD_ACCESS_KEY_ID: (bucket.upload ?? bucket).accessKeyId,
  S3_UPLOAD_SECRET_ACCESS_KEY: (bucket.upload ?? bucket).secretAccessKey,
  S3_PUBLIC_ENDPOINT: publicUrl,
  GARAGE_RPC_SECRET: 'unused',
  GARAGE_ADMIN_TOKEN: 'unused',
  CORS_ORIGINS: 'http://localhost:3000',
})

/** Reads the containers of a Compose file by name. Throws when the file requires a variable that has no value here. */
export async function readCompose(file: string, operator: Operator): Promise<Map<string, Container>> {
  const values = variables(operator)
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
