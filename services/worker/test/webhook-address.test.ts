import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { loadConfig } from '@playtherapy/service-kit'
import t from 'tap'
import { Type } from 'typebox'
import { receiverFrom, WorkerConfig } from '../src/config.ts'
import { allowedAddresses, guardedLookup } from '../src/webhook/address.ts'
import { post } from '../src/webhook/post.ts'
import { secret } from './webhook-support.ts'

const internal = `127.0.0.1 127.9.9.9 0.0.0.0 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1
  100.127.255.255 192.0.0.192 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 192.0.2.1 198.51.100.1 203.0.113.1 ::1 :: fe80::1
  fe80::1%eth0 fc00::1 fd00:ec2::254 fec0::1 ff02::1 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:169.254.169.254 ::127.0.0.1
  64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::a00:1 2002:7f00:1:: 2001:0:7f00:1:: 2001:db8::1 ::ffff:0:127.0.0.1 100::1
  5f00::1 3fff::1 localhost 1 127.1 0x7f.0.0.1`

t.test('only addresses of the internet are connected to, and those that are named', async (t) => {
  const isAllowed = allowedAddresses([], false)
  for (const address of internal.split(/\s+/)) t.notOk(isAllowed(address), address)
  for (const address of ['1.1.1.1', '93.184.216.34', '2606:4700:4700::1111', '::ffff:1.1.1.1']) {
    t.ok(isAllowed(address), address)
    t.notOk(allowedAddresses(['10.0.0.0/8'], true)(address), `${address} by plain HTTP`)
  }
  const named = allowedAddresses(['10.1.0.0/16', '127.0.0.1', 'fd00:1::/32'], false)
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '127.0.0.1', 'fd00:1::5', '1.1.1.1'])
    t.ok(named(address), address)
  for (const address of ['10.2.0.1', '127.0.0.2', 'fd00:2::5', '::1', '169.254.169.254'])
    t.notOk(named(address), address)
  for (const text of ['intranet', '10.0.0.0/33', '']) t.throws(() => allowedAddresses([text], false), text)
})

t.test('what a name resolves to is what counts, when it is connected to', async (t) => {
  let requests = 0
  const server = createServer((_, response) => {
    requests += 1
    response.end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const send = (url: string, internalAddresses: string[]) =>
    post(
      { url: new URL(url), secrets: [secret], internalAddresses, attemptMs: 2_000 },
      { id: 'a', body: '{}' },
      new AbortController().signal,
    )
  t.ok(await lookup('localhost'))
  for (const host of [
    'localhost',
    '127.0.0.1',
    '127.1',
    '0x7f000001',
    '2130706433',
    '[::ffff:127.0.0.1]',
    '0',
    '[::1]',
  ]) {
    for (const scheme of ['http', 'https']) {
      await t.rejects(send(`${scheme}://${host}:${port}/`, []), { name: 'AddressError' }, `${scheme} ${host}`)
      await t.rejects(
        send(`${scheme}://${host}:${port}/`, ['10.0.0.0/8']),
        { name: 'AddressError' },
        `${scheme} ${host}`,
      )
    }
  }
  t.equal(requests, 0)
  for (const host of ['localhost', '127.0.0.1', '[::ffff:127.0.0.1]']) {
    t.match(await send(`http://${host}:${port}/`, ['127.0.0.1']), { status: 200 }, host)
  }
})

t.test('lookups of one name at the same time are one', async (t) => {
  // Node counts those that have ended, too, until their memory is freed.
  const lookups = () => process.getActiveResourcesInfo().filter((name) => name === 'GetAddrInfoReqWrap').length
  const look = () =>
    new Promise((resolve) => guardedLookup(() => true)('localhost', { all: true }, (...found) => resolve(found)))
  for (const times of [5, 1]) {
    const before = lookups()
    const all = Array.from({ length: times }, look)
    t.equal(lookups() - before, 1, `of ${times}`)
    for (const found of await Promise.all(all)) t.match(found, [null, [{ family: Number }]])
  }
})

t.test('whatever a receiver answers, an attempt ends in time and breaks nothing', async (t) => {
  let answer = ''
  const server = createTcpServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end(answer))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const send = () =>
    post(
      {
        url: new URL(`http://127.0.0.1:${port}/`),
        secrets: [secret],
        internalAddresses: ['127.0.0.1'],
        attemptMs: 1_000,
      },
      { id: 'a', body: '{}' },
      new AbortController().signal,
    )
  const early = 'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n'
  for (const [name, bytes] of [
    ['nothing', ''],
    ['no HTTP', 'SSH-2.0-x\r\n'],
    ['an upgrade', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'],
    ['only hints', early.repeat(1_000)],
    ['endless headers', `HTTP/1.1 200 OK\r\n${'x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n'.repeat(10_000)}`],
  ] as const) {
    answer = bytes
    await t.rejects(send(), name)
  }
  for (const [name, bytes] of [
    ['hints first', `${early}HTTP/1.1 204 No Content\r\n\r\n`],
    ['a body that breaks off', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx'],
    ['chunks that are none', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'],
  ] as const) {
    answer = bytes
    t.match(await send(), { status: name === 'hints first' ? 204 : 200 }, name)
  }
})

t.test('a worker does not start with a receiver to which nothing could be sent', async (t) => {
  const { WEBHOOK_URL, WEBHOOK_SECRET, WEBHOOK_INTERNAL_ADDRESSES } = WorkerConfig.properties
  const schema = Type.Object({ WEBHOOK_URL, WEBHOOK_SECRET, WEBHOOK_INTERNAL_ADDRESSES })
  const read = (url: string, internal = '', secrets = secret) =>
    receiverFrom(
      loadConfig(schema, { WEBHOOK_URL: url, WEBHOOK_SECRET: secrets, WEBHOOK_INTERNAL_ADDRESSES: internal }),
    )
  t.equal(read(''), undefined, 'it is off by default')
  t.match(read('https://hooks.example/a?b=c', '', `${secret},${secret}`), { secrets: [secret, secret] })
  t.match(read('http://receiver:8080/', '10.0.0.0/8, 127.0.0.1'), { internalAddresses: ['10.0.0.0/8', '127.0.0.1'] })
  for (const [url, internal, secrets] of [
    ['https://name:word@hooks.example/'],
    ['ftp://hooks.example/'],
    ['https://'],
    ['https://hooks.example:99999/'],
    ['http://hooks.example/'],
    ['https://10.0.0.1/'],
    ['https://[::ffff:169.254.169.254]/'],
    ['http://1.1.1.1/', '10.0.0.0/8'],
    ['https://hooks.example/', 'intranet'],
    ['https://hooks.example/', '10.0.0.0/33'],
    ['https://hooks.example/', '', 'whsec_short'],
    ['https://hooks.example/', '', 'a secret'],
  ] as const) {
    t.throws(() => read(url, internal, secrets), { name: 'ConfigError' }, `${url} ${internal}`)
  }
  t.throws(() => read('https://hooks.example/', '', ''), /WEBHOOK_SECRET is required with WEBHOOK_URL/)
})
