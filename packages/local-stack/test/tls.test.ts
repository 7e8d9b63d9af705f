/** TLS to PostgreSQL, Redis and S3, whose authority NODE_EXTRA_CA_CERTS names: real servers with certificates of openssl. */
import { execFile } from 'node:child_process'
import { chmod, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort, startPostgres } from '@playtherapy/embedded-postgres'
import { queueBackends, sourceOptions, startRedis, storeBackends, testBucket } from '@playtherapy/testing'
import t from 'tap'

const run = promisify(execFile)
const folder = await mkdtemp(join(tmpdir(), 'playtherapy-tls-'))
// For root, PostgreSQL runs as another user, who needs access to this folder.
await chmod(folder, 0o755)
t.teardown(() => rm(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)

/** An authority; two of them may have one subject, as an old and a new one of a clinic. */
async function authority(name: string): Promise<void> {
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=Clinic']
  await run('openssl', [...request, '-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)])
}
await Promise.all(['own', 'same-name'].map(authority))
await run('openssl', [
  ...[
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=server',
    '-keyout',
    at('server.key'),
    '-out',
    at('server.csr'),
  ],
])
await writeFile(at('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1')
await run('openssl', [
  ...['x509', '-req', '-in', at('server.csr'), '-days', '1', '-CA', at('own.pem'), '-CAkey', at('own.key')],
  ...['-CAcreateserial', '-extfile', at('names'), '-out', at('server.pem')],
])
await chmod(at('server.key'), 0o600)
const [key, cert] = [await readFile(at('server.key')), await readFile(at('server.pem'))]

/** Passes connections on from 127.0.0.2, for which the certificate is not. */
async function otherName(port: number): Promise<string> {
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    near.pipe(far).pipe(near)
    for (const socket of [near, far]) socket.on('error', () => near.destroy() && far.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.2', resolve))
  t.teardown(() => server.close())
  return `127.0.0.2:${(server.address() as AddressInfo).port}`
}

const namesOf = async (port: number) => [`localhost:${port}`, `127.0.0.1:${port}`, await otherName(port)]

async function postgresAddresses(): Promise<string[]> {
  const [keyFile, certFile] = [at('postgres.key'), at('postgres.pem')]
  await writeFile(keyFile, key, { mode: 0o600 })
  await writeFile(certFile, cert)
  if (process.getuid?.() === 0) await chown(keyFile, 65534, 65534)
  const server = await startPostgres({
    directory: at('postgres'),
    settings: ['fsync=off', 'ssl=on', `ssl_cert_file=${certFile}`, `ssl_key_file=${keyFile}`],
  })
  t.teardown(() => server.stop())
  const { host, port } = new URL(server.url)
  return (await namesOf(Number(port))).map((name) => server.url.replace(host, name))
}

async function redisAddresses(): Promise<string[]> {
  const port = await freePort()
  const files = [
    '--tls-cert-file',
    at('server.pem'),
    '--tls-key-file',
    at('server.key'),
    '--tls-ca-cert-file',
    at('own.pem'),
  ]
  const server = await startRedis(at('redis'), ['--tls-port', `${port}`, ...files, '--tls-auth-clients', 'no'])
  t.teardown(() => server.kill())
  return (await namesOf(port)).map((name) => `rediss://${name}`)
}

async function storeAddresses() {
  const settings = await testBucket()
  const plain = new URL(settings.endpoint ?? '')
  const server = createTlsServer({ key, cert }, (near) => {
    const far = connect(Number(plain.port), plain.hostname)
    near.pipe(far).pipe(near)
    for (const socket of [near, far]) socket.on('error', () => near.destroy() && far.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const names = await namesOf((server.address() as AddressInfo).port)
  return names.map((name) => ({ ...settings, endpoint: `https://${name}` }))
}

const hasRedis = queueBackends.includes('redis')
const [postgres, redis, store] = await Promise.all([
  postgresAddresses(),
  hasRedis ? redisAddresses() : [],
  storeBackends.includes('s3') ? storeAddresses() : [],
])
const verified = postgres.map((url) => `${url}?sslmode=verify-full`)

/** What a process with these authorities reaches. */
async function reached(authorities: string | undefined, database = verified, more: NodeJS.ProcessEnv = {}) {
  const asked = JSON.stringify({ database, queue: [...database, ...redis], store })
  const program = fileURLToPath(new URL('./tls-client.ts', import.meta.url))
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: authorities ? at(authorities) : '', ...more }
  const { stdout } = await run(process.execPath, [...sourceOptions, program, asked], { env, timeout: 60_000 })
  const outcomes: Record<string, string | string[]> = JSON.parse(stdout)
  return outcomes
}

/** The same outcome for each of the three names of a server. */
const each = (names: unknown[], of: unknown[]) => of.flatMap((_, index) => names[index % names.length] ?? [])

const modes = ['require', 'verify-ca', 'prefer', 'allow']
const [trusting, none, sameName, ...asked] = await Promise.all([
  reached('own.pem'),
  reached(undefined, [...verified, ...modes.map((mode) => `${postgres[0]}?sslmode=${mode}`)]),
  reached('same-name.pem'),
  ...['PGSSLMODE', 'PGSSL'].map((name) => reached(undefined, postgres, { [name]: 'require' })),
  reached(undefined, [`${postgres[0]}?sslmode=disable`], { PGSSLMODE: 'require' }),
])

t.test('a certificate of the named authority is accepted for its names, and for no other', async (t) => {
  const names = ['ok', 'ok', /^its certificate is for another host name: use one of its names/]
  t.match(trusting, {
    migrate: 'ok',
    database: names,
    queue: each(names, [...postgres, ...redis]),
    store: each(names, store),
  })
})

t.test('without its authority nothing is reached, whatever sslmode says, and the reason says what to do', async (t) => {
  const reason = /^its certificate is from an authority that is not trusted here: name .* in NODE_EXTRA_CA_CERTS/
  const wanted = {
    migrate: reason,
    database: each([reason], postgres),
    queue: each([reason], [...postgres, ...redis]),
    store: each([reason], store),
  }
  t.match(sameName, wanted, 'with another authority of the same name')
  const all = each([reason], [...verified, ...modes])
  t.match(none, { ...wanted, database: all, queue: [...all, ...each([reason], redis)] })
})

t.test('TLS that the environment asks for is used where the address says nothing', async (t) => {
  const reason = /^its certificate is from an authority that is not trusted here/
  for (const outcome of asked.slice(0, 2)) t.match(outcome, { migrate: reason, database: each([reason], postgres) })
  t.match(asked[2], { migrate: 'ok', database: ['the connection is not encrypted'] }, 'the address comes first')
})
