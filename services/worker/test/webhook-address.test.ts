import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net'
import { Worker } from 'node:worker_threads'
import { loadConfig } from '@playtherapy/service-kit'
import { until } from '@playtherapy/testing'
import t, { type Test } from 'tap'
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

/** Starts a name server that answers by `addressesOf` a question for this type of record, or never. Returns its address. */
async function nameServer(t: Test, addressOf: (type: number) => number[] | undefined) {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  socket.on('message', (question, { port, address: from }) => {
    const endOfName = question.indexOf(0, 12)
    const type = question.readUInt16BE(endOfName + 1)
    const address = addressOf(type)
    if (!address) return
    const header = Buffer.from([
      ...question.subarray(0, 2),
      0x81,
      0x80,
      0,
      1,
      0,
      address.length > 0 ? 1 : 0,
      0,
      0,
      0,
      0,
    ])
    const record = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, address.length, ...address])
    const body = [header, question.subarray(12, endOfName + 5), ...(address.length > 0 ? [record] : [])]
    socket.send(Buffer.concat(body), port, from)
  })
  return `127.0.0.1:${socket.address().port}`
}

t.test('a name server that does not answer holds an attempt for a moment, and no thread', async (t) => {
  const look = async (name: string, answers: Record<number, number[]>, isAllowed = (_address: string) => true) => {
    const servers = [await nameServer(t, (type) => answers[type])]
    return new Promise((resolve) =>
      guardedLookup(isAllowed, servers)(name, { all: true }, (error, found) => resolve(error ?? found)),
    )
  }
  const [four, six] = [1, 28]
  const name = 'hooks.example'
  const v4 = { address: '1.2.3.4', family: 4 }
  const v6 = { address: '2606::1', family: 6 }
  const ofV6 = [0x26, 6, ...Array.from({ length: 13 }, () => 0), 1]
  const all = Promise.all([
    look(name, {}),
    look(name, { [four]: [1, 2, 3, 4] }),
    look(name, { [four]: [], [six]: ofV6 }),
    look(name, { [four]: [1, 2, 3, 4], [six]: ofV6 }, (address) => address !== '1.2.3.4'),
    look(name, { [four]: [10, 0, 0, 1], [six]: [] }, allowedAddresses([], false)),
    look(name, { [four]: [], [six]: [] }),
    look('localhost', {}),
  ])
  const seen = new Set<string>()
  const looking = setInterval(() => {
    for (const name of process.getActiveResourcesInfo()) seen.add(name)
  }, 10)
  const [silent, halfSilent, only6, refused4, internal, nothing, inFile] = await all
  clearInterval(looking)
  t.notOk(seen.has('GetAddrInfoReqWrap'), `${[...seen]}`)
  t.match(silent, { name: 'LookupError', message: /could not be looked up \(ECANCELLED\)$/ })
  t.strictSame(halfSilent, [v4], 'what is known is used')
  t.strictSame(only6, [v6])
  t.strictSame(refused4, [v6])
  t.match(internal, { name: 'AddressError' })
  t.match(nothing, { name: 'LookupError', message: /\(ENODATA\)$/ })
  t.match(inFile, [{ address: /^(127\.0\.0\.1|::1)$/ }], 'the file of this machine comes first')
})

t.test('a connection to one of several addresses may take longer than a moment', async (t) => {
  // While its loop stands, the system refuses connections beyond those that wait already, and is asked again after a second.
  const busy = new Worker(
    `const { parentPort } = require('node:worker_threads')
    const server = require('node:http').createServer((_, response) => response.end())
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => parentPort.postMessage(server.address().port))
    parentPort.on('message', () => {
      parentPort.postMessage('standing')
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700)
    })`,
    { eval: true },
  )
  t.teardown(() => busy.terminate())
  const [port] = await once(busy, 'message')
  busy.postMessage('stand')
  await once(busy, 'message')
  const waiting = Array.from({ length: 6 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  t.teardown(() => {
    for (const socket of waiting) socket.destroy()
  })
  await until('a full queue', () => waiting.filter(({ connecting }) => !connecting).length >= 2)
  const addresses: Record<number, number[]> = {
    1: [127, 0, 0, 1],
    28: [0x20, 1, 0x0d, 0xb8, ...Array.from({ length: 11 }, () => 0), 1],
  }
  const receiver = {
    url: new URL(`http://hooks.example:${port}/`),
    secrets: [secret],
    internalAddresses: ['127.0.0.1', '2001:db8::/32'],
    nameServers: [await nameServer(t, (type) => addresses[type])],
  }
  t.match(await post(receiver, { id: 'a', body: '{}' }, new AbortController().signal), { status: 200 })
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
