/** The files of the console behind a real nginx with the gateway's configuration, while CONSOLE is on and off. */
import { readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { writeConsole } from '@playtherapy/programs'
import { hasNginx, startNginx } from '@playtherapy/testing'
import t from 'tap'
import { buildConsole, consoleHeaders } from '../build.ts'
import { skip as browserSkip, startBrowser } from './browser.ts'

const skip = hasNginx() || process.env.CI ? false : 'needs nginx'
const nowhere = { media: 'http://127.0.0.1:9', store: 'http://127.0.0.1:9' }

/** Asks for a path exactly as it is written, which fetch would tidy up. */
const statusOf = (url: string, path: string, method = 'GET') =>
  new Promise<number>((resolve, reject) => {
    const { hostname, port } = new URL(url)
    request({ hostname, port, path, method }, (response) => resolve(response.resume().statusCode ?? 0))
      .on('error', reject)
      .end()
  })

t.test('the gateway serves the console', { skip }, async (t) => {
  const root = t.testdir()
  await writeConsole(join(root, 'console'))
  const files = await buildConsole({ notices: 'notices.txt' })
  const on = await startNginx(join(root, 'on'), nowhere, { consoleIn: root })
  t.teardown(() => on.stop())

  t.test('every file has the headers that npm start gives it, compressed where that is understood', async (t) => {
    for (const [name, bytes] of files) {
      const path = `${on.url}/console/${name === 'index.html' ? '' : name}`
      const plain = await fetch(path, { headers: { 'accept-encoding': 'identity' } })
      t.match(Object.fromEntries(plain.headers), consoleHeaders(name), name)
      t.equal(Buffer.from(await plain.arrayBuffer()).compare(bytes), 0, name)
      const packed = await new Promise<Buffer>((resolve, reject) => {
        request(path, { headers: { 'accept-encoding': 'gzip' } }, async (response) => {
          t.match(response.headers, { 'content-encoding': 'gzip', vary: 'Accept-Encoding' }, name)
          resolve(Buffer.concat(await response.toArray()))
        })
          .on('error', reject)
          .end()
      })
      t.equal(gunzipSync(packed).compare(bytes), 0, name)
    }
  })

  t.test('the licences of what is in it are beside it, and the page leads to them', async (t) => {
    const notices = await fetch(`${on.url}/console/notices.txt`)
    t.match(Object.fromEntries(notices.headers), consoleHeaders('notices.txt'))
    const text = await notices.text()
    for (const said of ['preact 11.', 'hls.js 1.', 'uplot 1.', 'Permission is hereby granted', 'Copyright'])
      t.match(text, said)
  })

  t.test('a newer page of the same time and length is sent, and HEAD has no body', async (t) => {
    const page = `${on.url}/console/`
    const file = join(root, 'console', 'index.html')
    const old = await readFile(file, 'utf8')
    const { mtime } = await stat(file)
    const first = await fetch(page, { headers: { 'accept-encoding': 'identity' } })
    const known = {
      'if-none-match': first.headers.get('etag') ?? '*',
      'if-modified-since': first.headers.get('last-modified') ?? mtime.toUTCString(),
    }
    t.teardown(() => writeFile(file, old))
    const newer = old.replace(/main-\w{8}/, 'main-ABCDEFGH')
    await writeFile(file, newer)
    await utimes(file, mtime, mtime)
    const again = await fetch(page, { headers: { ...known, 'accept-encoding': 'identity' } })
    t.match([again.status, await again.text()], [200, newer])
    t.equal(again.headers.get('cache-control'), 'no-cache')
    const head = await fetch(page, { method: 'HEAD' })
    t.match([head.status, await head.text()], [200, ''])
  })

  t.test('a part that is known is not sent again', async (t) => {
    const part = `${on.url}/console/${[...files.keys()].find((name) => name.endsWith('.js'))}`
    const etag = (await fetch(part)).headers.get('etag') ?? ''
    const again = await fetch(part, { headers: { 'if-none-match': etag } })
    t.match([again.status, await again.text()], [304, ''])
  })

  t.test('no other path opens a file', async (t) => {
    const redirected = await fetch(`${on.url}/console`, { redirect: 'manual' })
    t.match([redirected.status, redirected.headers.get('location')], [308, '/console/'])
    const script = [...files.keys()].find((name) => name.endsWith('.js')) ?? ''
    for (const path of [
      '/console/index.html',
      `/console/${script}.gz`,
      '/console/none-ABCDEFGH.js',
      '/console/..%2fnginx.conf',
      '/console/%2e%2e/nginx.conf',
      '/console/../on/nginx.conf',
      '/console/..;/on/nginx.conf',
      '/console//etc/passwd',
      '/console/.git/config',
      `/console/x/../../${script}`,
      `/Console/${script}`,
      '/consolex',
      `/console/%2e/%2e%2e/console/${script}.gz`,
      `/console/${script}%00.css`,
      `/console/${script}%0a`,
      `/console/${script}/`,
      '/console/%5c..%5c..%5cetc%5cpasswd',
      '/console/%ff%fe',
    ]) {
      t.match(await statusOf(on.url, path), /^4/, path)
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'TRACE', 'PROPFIND'])
      t.match(await statusOf(on.url, '/console/', method), /^4/, method)
  })

  t.test('it is not there while CONSOLE is off', async (t) => {
    const off = await startNginx(join(root, 'off'), nowhere)
    t.teardown(() => off.stop())
    const metrics = await fetch(`${off.url}/metrics`)
    t.match([metrics.status, metrics.headers.get('content-type'), await metrics.text()], [200, /^text\/plain/, ''])
    for (const path of ['/console', '/console/', ...[...files.keys()].map((name) => `/console/${name}`)]) {
      const answer = await fetch(off.url + path, { redirect: 'manual' })
      t.match([answer.status, await answer.json()], [404, { error_code: 404 }], path)
    }
  })

  t.test('a browser opens it below its path', { skip: browserSkip }, async (t) => {
    const { openTab } = await startBrowser(t, { url: `${on.url}/console` })
    // A link signs nobody in here: it could be that of somebody else.
    const token = `e30.${Buffer.from('{"user_id":7}').toString('base64url')}.x`
    const { page, complaints } = await openTab({ token })
    await page.getByRole('button', { name: 'Sign in' }).waitFor()
    t.equal(new URL(page.url()).hash, '')
    const [notices] = await Promise.all([
      page.context().waitForEvent('page'),
      page.getByRole('link', { name: 'Licences' }).click(),
    ])
    await notices.getByText('Permission is hereby granted').first().waitFor()
    t.strictSame(complaints, [])
  })
})
