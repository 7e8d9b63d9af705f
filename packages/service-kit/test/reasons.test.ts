import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createS3Store, type S3Settings } from '@playtherapy/object-store'
import { checkDatabase, openDatabase } from '@playtherapy/schema'
import { loggable, reasonOf } from '@playtherapy/service-kit'
import { emptyDatabase, storeBackends, testBucket, testDatabase } from '@playtherapy/testing'
import t, { type Test } from 'tap'

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: unknown) => error,
  )

t.test('what PostgreSQL refuses is said in plain words', async (t) => {
  const { url } = await testDatabase(t)
  const changed = (change: (url: URL) => void) => {
    const other = new URL(url)
    change(other)
    return other.href
  }
  const cases: [string, RegExp][] = [
    [changed((to) => (to.password = 'hunter2')), /^the user name or password is refused \(28P01\)$/],
    [changed((to) => (to.pathname = '/nowhere')), /^the database does not exist \(3D000\)$/],
    [
      changed((to) => (to.hostname = 'nowhere.invalid')),
      /^the host name is not known \(nowhere\.invalid, ENOTFOUND\)$/,
    ],
    [changed((to) => (to.port = '1')), /^nothing listens there \(127\.0\.0\.1:1, ECONNREFUSED\)$/],
    [changed((to) => to.searchParams.set('sslmode', 'require')), /^it closed the connection/],
    [await emptyDatabase(t), /^a table is missing, so the database is not migrated: run migrate/],
  ]
  for (const [address, reason] of cases) {
    const { db, close } = openDatabase({ url: address, max: 1, applicationName: 'test' })
    const error = await failure(checkDatabase(db))
    await close()
    t.match(reasonOf(error), reason)
    t.notMatch(JSON.stringify(loggable(error)) + reasonOf(error), /hunter2/)
  }
})

async function selfSigned(t: Test): Promise<string> {
  const folder = t.testdir()
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost']
  await promisify(execFile)('openssl', [...request, '-keyout', key, '-out', cert])
  const server = createServer({ key: await readFile(key), cert: await readFile(cert) }, (_, answer) => answer.end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close().closeAllConnections())
  const address = server.address() as AddressInfo
  return `https://127.0.0.1:${address.port}`
}

t.test('what an S3 server refuses is said in plain words', { skip: !storeBackends.includes('s3') }, async (t) => {
  const settings = await testBucket()
  const plain = new URL(settings.endpoint ?? '')
  const cases: [Partial<S3Settings>, RegExp][] = [
    [{ secretAccessKey: 'hunter2' }, /^the signature does not match/],
    [{ accessKeyId: 'NOBODY' }, /^the access key is not known there/],
    [{ bucket: 'no-such-bucket' }, /^the bucket does not exist/],
    [{ endpoint: 'http://127.0.0.1:1' }, /^nothing listens there \(127\.0\.0\.1:1, ECONNREFUSED\)/],
    [{ endpoint: 'http://nowhere.invalid' }, /^the host name is not known \(nowhere\.invalid, ENOTFOUND\)/],
    [{ endpoint: await selfSigned(t) }, /^its certificate is self-signed/],
    [{ endpoint: `https://${plain.host}` }, /TLS/],
  ]
  for (const [wrong, reason] of cases) {
    const store = createS3Store({ ...settings, ...wrong })
    const errors = await Promise.all([
      failure(store.check()),
      failure(store.put('video/x', Buffer.from('x'), { contentType: 'video/mp4' })),
      failure(store.get('video/x')),
      // A bucket that does not exist has no such object.
      ...(wrong.bucket ? [] : [failure(store.head('video/x'))]),
    ])
    store.close()
    for (const error of errors) {
      t.match(reasonOf(error), reason)
      t.match(loggable(error), { reason })
      t.notMatch(JSON.stringify(loggable(error)), /hunter2|video\/x/)
    }
  }
})
