import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from '@playtherapy/embedded-postgres'
import type { S3Settings } from '@playtherapy/object-store'

export interface RunningS3 {
  settings: Omit<S3Settings, 'bucket'>
  /** Suspends the gateway: connections stay open without a response. */
  freeze(): void
  thaw(): void
  /** Kills the gateway, as a crash does; stored objects stay. */
  kill(): Promise<void>
  /** Starts the gateway again on its port. */
  restart(): Promise<void>
  /** Ends all processes of the server. */
  stop(): Promise<void>
}

/** Id of the key with which the server encrypts objects that ask for it (SSE-KMS). */
export const kmsKey = 'clinic-key'

/**
 * A monitor, one disk and the S3 gateway, all on loopback and without replicas. Deleted objects free their space within
 * seconds instead of hours. The disk is a sparse file, which grows with its contents up to its size.
 */
const configuration = (directory: string, ports: { monitor: number; gateway: number }) => `
[global]
fsid = ${randomUUID()}
mon_host = v2:127.0.0.1:${ports.monitor}/0
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
auth_allow_insecure_global_id_reclaim = false
keyring = ${directory}/admin.keyring
run_dir = ${directory}
admin_socket = ${directory}/$name.asok
log_file = ${directory}/$name.log
mon_data_avail_crit = 1
[mon.0]
mon_data = ${directory}/mon
[osd.0]
osd_data = ${directory}/osd
keyring = ${directory}/osd/keyring
osd_objectstore = bluestore
bluestore_block_size = 40G
bluestore_block_create = true
osd_memory_target = 1G
[client.rgw]
keyring = ${directory}/rgw.keyring
rgw_frontends = beast endpoint=127.0.0.1:${ports.gateway}
rgw_gc_obj_min_wait = 5
rgw_gc_processor_period = 10
rgw_gc_processor_max_time = 10
rgw_crypt_require_ssl = false
rgw_crypt_s3_kms_backend = testing
rgw_crypt_s3_kms_encryption_keys = ${kmsKey}=${randomBytes(32).toString('base64')}
`

/**
 * Starts a real S3 server, Ceph's RADOS Gateway from Debian's packages, in this folder, within some twenty seconds. It
 * ends with this process. Rejects when the packages are not installed or a part does not start.
 */
export async function startS3(directory: string): Promise<RunningS3> {
  await Promise.all(['mon', 'osd'].map((name) => mkdir(join(directory, name), { recursive: true })))
  const ports = { monitor: await freePort(), gateway: await freePort() }
  const file = join(directory, 'ceph.conf')
  await writeFile(file, configuration(directory, ports))
  const env = {
    ...process.env,
    CEPH_CONF: file,
    CEPH_ARGS: '--log-to-stderr=false',
    // The processes keep freed memory: in a virtual machine, a fifth of a small object's time was spent on getting it.
    MALLOC_TRIM_THRESHOLD_: '268435456',
    MALLOC_MMAP_THRESHOLD_: '33554432',
  }
  const run = (program: string, ...args: string[]) => promisify(execFile)(program, args, { env, timeout: 60_000 })
  const processes = new Set<ChildProcess>()
  const launch = (program: string, ...args: string[]) => {
    const child = spawn(program, ['-f', ...args], { env, stdio: 'ignore' })
    processes.add(child)
    child.once('error', () => {})
    child.once('exit', () => processes.delete(child))
    return child
  }
  const killAll = () => {
    for (const child of processes) child.kill('SIGKILL')
  }
  process.on('exit', killAll)
  const until = async (what: string, check: () => Promise<unknown>) => {
    for (let left = 300; left > 0; left--) {
      if (await check().catch(() => false)) return
      await sleep(100)
    }
    throw new Error(`The S3 server did not start: ${what}`)
  }

  const keyring = (name: string) => join(directory, `${name}.keyring`)
  const make = ['--create-keyring', '--gen-key']
  await run('ceph-authtool', ...make, keyring('mon'), '-n', 'mon.', '--cap', 'mon', 'allow *')
  const everything = ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *']
  await run('ceph-authtool', ...make, keyring('admin'), '-n', 'client.admin', ...everything)
  await run('ceph-authtool', keyring('mon'), '--import-keyring', keyring('admin'))
  const map = join(directory, 'monmap')
  await run('monmaptool', '--create', '--addv', '0', `v2:127.0.0.1:${ports.monitor}/0`, map)
  await run('ceph-mon', '--id', '0', '--mkfs', '--monmap', map, '--keyring', keyring('mon'))
  launch('ceph-mon', '--id', '0')
  await until('monitor', () => run('ceph', 'mon', 'stat'))

  const disk = randomUUID()
  const key = (await run('ceph-authtool', '--gen-print-key')).stdout.trim()
  const secret = join(directory, 'osd-secret')
  await writeFile(secret, JSON.stringify({ cephx_secret: key }))
  await run('ceph', 'osd', 'new', disk, '-i', secret)
  await run('ceph-authtool', '--create-keyring', join(directory, 'osd/keyring'), '--name', 'osd.0', '--add-key', key)
  const rights = ['mon', 'allow rw', 'osd', 'allow rwx']
  await run('ceph', 'auth', 'get-or-create', 'client.rgw', ...rights, '-o', keyring('rgw'))
  await run('ceph', 'osd', 'crush', 'add', 'osd.0', '1', 'root=default')
  await run('ceph-osd', '--id', '0', '--mkfs', '--osd-uuid', disk)
  launch('ceph-osd', '--id', '0')
  await until('disk', async () => (await run('ceph', 'osd', 'stat')).stdout.includes('1 up'))

  const endpoint = `http://127.0.0.1:${ports.gateway}`
  let gateway: ChildProcess
  const startGateway = async () => {
    gateway = launch('radosgw', '-n', 'client.rgw')
    await until('gateway', () => fetch(endpoint, { signal: AbortSignal.timeout(2_000) }))
  }
  await startGateway()
  const credentials = { accessKeyId: 'TESTKEY', secretAccessKey: randomBytes(16).toString('hex') }
  const user = ['--uid=test', '--display-name=test', `--access-key=${credentials.accessKeyId}`]
  await run('radosgw-admin', 'user', 'create', ...user, `--secret-key=${credentials.secretAccessKey}`)
  // The key of presigned URLs belongs to the same user, and may write but not read.
  const upload = { accessKeyId: 'TESTUPLOAD', secretAccessKey: randomBytes(16).toString('hex') }
  const writer = ['--uid=test', '--subuser=test:upload']
  await run('radosgw-admin', 'subuser', 'create', ...writer, '--access=write')
  const uploadKey = [`--access-key=${upload.accessKeyId}`, `--secret-key=${upload.secretAccessKey}`]
  await run('radosgw-admin', 'key', 'create', ...writer, '--key-type=s3', ...uploadKey)

  return {
    settings: { endpoint, region: 'us-east-1', forcePathStyle: true, ...credentials, upload },
    freeze: () => void gateway.kill('SIGSTOP'),
    thaw: () => void gateway.kill('SIGCONT'),
    async kill() {
      const exited = once(gateway, 'exit')
      gateway.kill('SIGKILL')
      await exited
    },
    restart: startGateway,
    async stop() {
      const exited = Promise.all([...processes].map((child) => once(child, 'exit')))
      killAll()
      await exited
    },
  }
}
