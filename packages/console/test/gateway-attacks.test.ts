/** The console's part of the gateway, asked as no browser asks: what other sites and hostile clients may try. */
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { writeConsole } from '@playtherapy/programs'
import { hasNginx, startNginx } from '@playtherapy/testing'
import t from 'tap'
import { buildConsole, consoleHeaders } from '../build.ts'

const skip = hasNginx() || process.env.CI ? false : 'needs nginx'

t.test('the gateway with the console', { skip }, async (t) => {
  const root = t.testdir()
  await writeConsole(join(root, 'console'))
  /** What has reached a service. */
  const reached: string[] = []
  const service = createServer((request, response) => {
    reached.push(`${request.method} ${request.url}`)
    response.end('{}')
  })
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  t.teardown(() => service.close())
  const { port: servicePort } = service.address() as AddressInfo
  const contents = `http://127.0.0.1:${servicePort}`
  const nowhere = 'http://127.0.0.1:9'
  const { url, stop } = await startNginx(
    join(root, 'on'),
    { contents, media: nowhere, store: nowhere },
    { consoleIn: root },
  )
  t.teardown(stop)
  const { port, host } = new URL(url)
  const [script, bytes] = [...(await buildConsole())].find(([name]) => name.startsWith('hls')) ?? ['', Buffer.alloc(0)]

  /** Sends these bytes, and returns all that comes until the gateway closes the connection. */
  const send = (text: string) =>
    new Promise<string>((resolve) => {
      let came = ''
      const socket = connect(Number(port), '127.0.0.1')
      socket.setEncoding('latin1').on('data', (part) => {
        came += part
      })
      socket.on('error', () => {})
      socket.on('close', () => resolve(came))
      socket.write(text, 'latin1')
    })
  const ask = (line: string, headers: string[] = [], body = '') =>
    send([line, `Host: ${host}`, 'Connection: close', ...headers, '', body].join('\r\n'))
  const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])

  t.test('no header decides where a redirect leads', async (t) => {
    for (const [line, name] of [
      ['GET /console HTTP/1.1', 'evil.example'],
      ['GET //console HTTP/1.1', 'evil.example'],
      ['GET http://evil.example/console HTTP/1.1', 'evil.example'],
      ['GET /console?next=//evil.example HTTP/1.1', host],
    ] as const) {
      const answer = await send(
        `${line}\r\nHost: ${name}\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: javascript\r\nConnection: close\r\n\r\n`,
      )
      t.equal(statusOf(answer), 308, line)
      t.match(answer, /\r\nlocation: \/console\/\r\n/i, line)
      t.notMatch(answer, 'evil', line)
    }
    for (const path of ['//evil.example/console', '/console%0d%0aSet-Cookie:%20a=b', '/console/%0d%0aX:%20y']) {
      const answer = await ask(`GET ${path} HTTP/1.1`)
      t.equal(statusOf(answer), 404, path)
      t.notMatch(answer, /\r\n(set-cookie|x|location):/i, path)
    }
  })

  t.test('what leaves open where a request ends is refused, and no second request is seen in it', async (t) => {
    reached.length = 0
    const hidden = `GET /contents/api/hidden HTTP/1.1\r\nHost: ${host}\r\n\r\n`
    for (const headers of [
      ['Content-Length: 4', 'Transfer-Encoding: chunked'],
      ['Transfer-Encoding: xchunked'],
      ['Transfer-Encoding:\tchunked'],
      ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
      ['Content-Length: 0', `Content-Length: ${hidden.length}`],
      ['Content-Length: +0'],
      ['X : y'],
      ['X: y', ' z'],
      ['X: a\0b'],
      ['Host: other.example'],
    ]) {
      const answer = await ask('GET /console/ HTTP/1.1', headers, hidden)
      t.equal(statusOf(answer), 400, JSON.stringify(headers))
      t.match(answer, /\r\n\r\n\{"message":"The request is not readable","error_code":8\}$/)
    }
    const body = await ask('GET /console/ HTTP/1.1', [`Content-Length: ${hidden.length}`], hidden)
    t.equal(body.match(/HTTP\/1\.1/g)?.length, 1, 'a body is no request')
    t.strictSame(reached, [])
  })

  t.test('too much is refused without a byte of it', async (t) => {
    for (const [line, headers] of [
      ['GET /console/ HTTP/1.1', [`X: ${'a'.repeat(70_000)}`]],
      ['GET /console/ HTTP/1.1', Array.from({ length: 3_000 }, (_, index) => `X${index}: ${'b'.repeat(20)}`)],
      [`GET /console/${'a'.repeat(40_000)} HTTP/1.1`, []],
    ] as const) {
      const answer = await ask(line, [...headers])
      t.equal(statusOf(answer), 431)
      t.notMatch(answer, /aaa|bbb/)
    }
  })

  t.test('no cache before it can be made to keep a refusal in place of a file', async (t) => {
    for (const range of ['bytes=0-3', 'bytes=99999999-', `bytes=${Array.from({ length: 800 }, () => '0-').join()}`]) {
      for (const path of ['', script, 'notices.txt']) {
        const answer = await ask(`HEAD /console/${path} HTTP/1.1`, [`Range: ${range}`])
        t.equal(statusOf(answer), 200, `${path} ${range.slice(0, 20)}`)
        if (path === script) t.match(answer, new RegExp(`\\r\\ncontent-length: ${bytes.length}\\r\\n`, 'i'))
      }
    }
    for (const [path = '', header = ''] of [
      ['', 'If-Match: "x"'],
      [script, 'If-Match: "x"'],
      [script, 'If-Unmodified-Since: Fri, 27 Nov 1970 00:00:00 GMT'],
    ]) {
      const answer = await ask(`GET /console/${path} HTTP/1.1`, [header])
      t.match([statusOf(answer), answer], [400, /"error_code":8\}$/], header)
      t.notMatch(answer, /max-age/, header)
    }
    const gone = await fetch(`${url}/console/main-ABCDEFGH.js`)
    t.match([gone.status, gone.headers.get('cache-control')], [404, 'no-store'], 'a part of another release')
  })

  t.test('other pages can neither frame it, reach into it, nor read or use its files', async (t) => {
    for (const path of ['', script, 'notices.txt']) {
      const answer = await fetch(`${url}/console/${path}`, { headers: { origin: 'https://evil.example' } })
      t.equal(answer.headers.get('access-control-allow-origin'), null, path)
      t.match(Object.fromEntries(answer.headers), consoleHeaders(path || 'index.html'), path)
      t.match(Object.fromEntries(answer.headers), {
        'content-security-policy': /frame-ancestors 'none'/,
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
      })
      await answer.arrayBuffer()
    }
  })
})
