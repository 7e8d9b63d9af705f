/** `.docker/compose.services.yml` runs the same processes as `docker-compose.yml`, without its servers. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { parse } from 'yaml'

const Service = Type.Object({
  image: Type.String(),
  environment: Type.Optional(Type.Record(Type.String(), Type.String())),
  networks: Type.Optional(Type.Unknown()),
  depends_on: Type.Optional(Type.Unknown()),
  volumes: Type.Optional(Type.Array(Type.String())),
  build: Type.Optional(Type.Unknown()),
  profiles: Type.Optional(Type.Unknown()),
})
const Compose = Type.Object({ services: Type.Record(Type.String(), Service) })

/** Services with all that they have; `Value.Parse` would leave out what is not named above. */
async function servicesOf(file: string) {
  const text = await readFile(fileURLToPath(new URL(`../../../${file}`, import.meta.url)), 'utf8')
  const found: unknown = parse(text, { merge: true })
  if (!Value.Check(Compose, found)) throw new Error(`${file} is no Compose file`)
  return found.services
}
const [own, all] = await Promise.all(['.docker/compose.services.yml', 'docker-compose.yml'].map(servicesOf))
const { prometheus, ...ours } = own ?? {}
const processes = Object.entries(ours)

t.test('each process is as in docker-compose.yml, but for its networks and what it waits for', async (t) => {
  t.strictSame(
    processes.map(([name]) => name),
    ['gateway', 'contents', 'media', 'script', 'worker', 'migrate', 'bucket'],
  )
  for (const [name, service] of processes) {
    // Names of files are relative to the file that names them.
    const about = ({ networks, depends_on, environment, build, profiles, volumes = [], ...rest }: typeof service) => ({
      ...rest,
      volumes: volumes.map((volume) => volume.replace('./.docker/', './')),
    })
    const other = all?.[name]
    if (!other) return t.fail(`no ${name}`)
    t.strictSame(about(service), about(other), name)
  }
})

t.test('each process gets the same settings, and those of servers elsewhere', async (t) => {
  const elsewhere = ['S3_REGION', 'S3_FORCE_PATH_STYLE', 'QUEUE_PREFIX']
  const besideTheStore = ['PLAYBACK_ACCEL_PREFIX', 'GARAGE_ADMIN_URL', 'GARAGE_ADMIN_TOKEN']
  for (const [name, { environment = {} }] of processes) {
    const given = Object.keys(environment).filter((each) => !elsewhere.includes(each))
    const wanted = Object.keys(all?.[name]?.environment ?? {}).filter((each) => !besideTheStore.includes(each))
    t.strictSame(given.toSorted(), wanted.toSorted(), name)
    if (name !== 'migrate') continue
    // Nobody but the migrations gets the owner of the tables.
    t.equal(environment.DATABASE_URL, '$' + '{OWNER_DATABASE_URL:-}')
  }
  const owners = processes.filter(([, { environment }]) => JSON.stringify(environment ?? {}).includes('OWNER_'))
  t.strictSame(
    owners.map(([name]) => name),
    ['migrate'],
  )
})

t.test(
  'Prometheus of a machine is that of docker-compose.yml, without rules and without a disk of its own',
  async (t) => {
    t.equal(prometheus?.image, all?.prometheus?.image)
    t.same(prometheus?.profiles, all?.prometheus?.profiles)
    t.strictSame(prometheus?.volumes, ['./observability/prometheus.yml:/etc/prometheus/prometheus.yml:ro'])
    t.ok(all?.prometheus?.volumes?.includes('./.docker/observability/prometheus.yml:/etc/prometheus/prometheus.yml:ro'))
  },
)
