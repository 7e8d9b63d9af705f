import { field, origin, type Session } from './client.ts'
import type { Proof } from './proof.ts'
import { padded } from './recordings.ts'

const script = '{"scripts":[{"start_time":"00:00:00","end_time":"00:00:03","speaker":"C","text":"봐요, 제일 높아요!"}]}'
const report = {
  reports: {
    Structuring: { category: 'Structuring', descriptions: '', interactions: [{ C1: 'a', T1: 'b' }], level: 3 },
  },
}
const caseOf = ({ path }: Session) => path.slice(0, path.indexOf('/session'))

function expect(what: string, got: unknown, wanted: unknown): void {
  if (JSON.stringify(got) === JSON.stringify(wanted)) return
  throw new Error(`${what}: ${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`)
}

/** The main job as the web client does it, to its end: the deletion. A second session stays. */
export async function journey({ client, quick, long, kept }: Proof): Promise<void> {
  const session = await client.createSession(1)
  const { path, token } = session
  expect('upload', await client.upload(session, long), { status: 201, text: '{"msg":"s3 upload start!"}' })
  await client.encoded(session, 180)
  const part = await fetch(`${client.address}${path}/video`, {
    headers: { authorization: `Bearer ${token}`, range: 'bytes=100-199' },
  })
  const whole = await client.play(session)
  const wanted = [206, `bytes 100-199/${whole.length}`]
  expect('range', [part.status, part.headers.get('content-range')], wanted)
  expect('range bytes', Buffer.from(await part.arrayBuffer()).equals(whole.subarray(100, 200)), true)

  const form = new FormData()
  form.set('script', new Blob([script], { type: 'application/json' }), 'script.json')
  expect('script', await client.ask(200, 'POST', `${path}/script`, token, form), { msg: 'script upload success!' })
  expect('script back', await (await client.call('GET', `${path}/script`, token)).text(), script)

  await client.ask(200, 'POST', `${path}/analyze-report`, client.mint({ scope: 'reports:write' }), report)
  expect('report', await client.ask(200, 'GET', `${path}/analyze-report`, token), report)
  const read = await client.ask(200, 'GET', path, token)
  const states = ['encoding_state_id', 'script_state_id', 'analyze_state_id'].map((name) => field(read, name))
  expect('states', states, [3, 3, 3])

  const other = await client.createSession(1)
  await client.upload(other, quick)
  await client.encoded(other, 120)
  kept.set(other, await client.play(other))

  expect('deletion', await client.ask(200, 'DELETE', caseOf(session), token), true)
  expect('after it', field(await client.ask(400, 'GET', `${path}/video`, token), 'error_code'), 2)
}

/** As the browser uploads: preflight, PUT to the URL it was given, PUT of the session. */
export async function presigned({ client, quick, kept }: Proof): Promise<void> {
  const session = await client.createSession(2)
  const { path, token } = session
  const given = await client.ask(200, 'GET', `${path}/video/presigned-url`, token)
  const url = String(field(given, 'presigned_url'))
  expect('address', url.startsWith(`${client.address}/playtherapy/video/`), true)
  const preflight = await fetch(url, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'PUT', 'access-control-request-headers': 'content-type' },
  })
  expect('preflight', [preflight.status, preflight.headers.get('access-control-allow-origin')], [200, origin])
  const forged = url.replace(/X-Amz-Signature=.{8}/, 'X-Amz-Signature=00000000')
  // Small, as a store that refuses may close on what is still to come, and then the gateway has no answer to pass on.
  const small = { bytes: 64, pieces: () => [Buffer.alloc(64)] }
  expect('forged signature', (await client.put(forged, small)).status, 403)
  expect('another key', (await client.put(url.replace('/video/', '/video/1'), small)).status, 403)
  expect('reading by it', (await fetch(url)).status, 403)
  expect('PUT', (await client.put(url, padded(quick, 64 * 1024 ** 2))).status, 200)
  const read = await client.ask(200, 'GET', path, token)
  const body = { data: { ...Object(read), origin_video_url: field(given, 'file_path') } }
  await client.ask(200, 'PUT', path, token, body)
  await client.encoded(session, 120)
  kept.set(session, await client.play(session))
}

/** Refusals reach the client even while it sends, and no log of ours holds what it must not. */
export async function refusals({ client, stack, quick }: Proof): Promise<void> {
  const session = await client.createSession(3)
  const large = padded(quick, 200 * 1024 ** 2)
  const stranger = { ...session, token: client.mint({ user_id: 4 }) }
  const code = async (answer: Promise<{ status: number; text: string }>) => {
    const { status, text } = await answer
    return [status, field(JSON.parse(text), 'error_code')]
  }
  expect('no token', await code(client.upload({ ...session, token: 'x' }, large)), [401, 0])
  expect('stranger', await code(client.upload(stranger, large)), [400, 2])
  expect('too large', await code(client.upload(session, { ...large, bytes: 90 * 1024 ** 3 })), [413, 9])
  expect('elsewhere', (await fetch(`${client.address}/playtherapyx`)).status, 404)

  const answer = await fetch(`${client.address}/contents/api/case?keyword=geheimnis`, {
    headers: { authorization: `Bearer ${session.token}`, 'x-request-id': 'proof-1' },
  })
  expect('request id', answer.headers.get('x-request-id'), 'proof-1')
  for (const service of ['gateway', 'contents', 'media', 'script', 'worker']) {
    const log = await stack.compose('logs', '--no-color', service)
    for (const secret of ['geheimnis', 'X-Amz', 'Bearer', session.token, '지우']) {
      if (log.includes(secret)) throw new Error(`the log of ${service} holds ${secret}`)
    }
    if (service !== 'script' && service !== 'worker') expect(`${service} logs`, log.includes('"method":"'), true)
    if (service === 'gateway' || service === 'contents') expect(`id in ${service}`, log.includes('proof-1'), true)
  }
}

/** The console is served by the gateway's image, with its policy and each file that its page names. */
export async function consoleServed({ client }: Proof): Promise<string> {
  const page = await fetch(`${client.address}/console/`)
  expect('console', [page.status, page.headers.get('x-content-type-options')], [200, 'nosniff'])
  expect('policy', page.headers.get('content-security-policy')?.startsWith("default-src 'none'"), true)
  const files = [...(await page.text()).matchAll(/(?:src|href)="([^"]+\.(?:js|css))"/g)].map(([, name = '']) => name)
  if (files.length === 0) throw new Error('the console names no files')
  for (const name of files) {
    const file = await fetch(new URL(name, page.url))
    const bytes = (await file.arrayBuffer()).byteLength
    expect(name, [file.status, file.headers.get('cache-control')?.includes('immutable'), bytes > 0], [200, true, true])
  }
  return `${files.length} files`
}
