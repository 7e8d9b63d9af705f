/** How far deletions are, and the proof of them, over HTTP. */
import { erasures } from '@playtherapy/schema'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { contents } from './support.ts'

const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'

t.test('a deletion names its erasure, which only its therapist sees', async (t) => {
  const { db, host, newCase, newSession } = await contents(t)
  const caseId = await newCase(7, {})
  const sessionId = await newSession(7, caseId, {})
  const other = await newCase(8, {})
  const remove = async (user: number, path: string) => {
    const response = await fetch(`${host.url}/contents/api/case/${path}`, { method: 'DELETE', headers: host.as(user) })
    return { status: response.status, body: await response.json(), location: response.headers.get('location') }
  }
  const get = async (user: number, path: string) => {
    const response = await fetch(host.url + path, { headers: host.as(user) })
    return { status: response.status, body: await response.json() }
  }
  const session = await remove(7, `${caseId}/session/${sessionId}`)
  const whole = await remove(7, String(caseId))
  const foreign = await remove(8, String(other))
  for (const deleted of [session, whole, foreign]) {
    t.match(deleted, { status: 200, body: true, location: new RegExp(`^/contents/api/erasure/${uuid}$`) })
  }
  t.match(await remove(7, String(caseId)), { status: 400, body: { error_code: 2 }, location: null })

  const id = session.location?.split('/').at(-1)
  t.match(await get(7, session.location ?? ''), {
    status: 200,
    body: {
      id,
      state: 'pending',
      case_id: caseId,
      session_id: sessionId,
      video_id: null,
      asked_by: 'therapist',
      asked_at: /Z$/,
      last_sweep_due: /Z$/,
      first_swept_at: null,
      last_swept_at: null,
      locked_until: null,
      receipt: null,
    },
  })
  const none = { status: 404, body: { error_code: 404, message: 'There is no such erasure' } }
  const numbers = await db.select({ id: erasures.id }).from(erasures)
  const nothing = [
    '1',
    String(numbers[0]?.id),
    '%00',
    'x'.repeat(100),
    `${id}0`,
    '00000000-0000-4000-8000-000000000000',
  ]
  for (const text of nothing) t.match(await get(7, `/contents/api/erasure/${text}`), none, text)
  t.match(await get(8, session.location ?? ''), none, 'another therapist')

  t.match(await get(7, '/contents/api/erasure'), {
    status: 200,
    body: [{ case_id: caseId, session_id: null }, { session_id: sessionId }],
  })
  t.match(await get(7, `/contents/api/erasure?before=${whole.location?.split('/').at(-1)}`), { body: [{ id }] })
  t.strictSame((await get(7, `/contents/api/erasure?before=${foreign.location?.split('/').at(-1)}`)).body, [])
  t.match(await get(7, '/contents/api/erasure?before=1'), { status: 422 })

  const ofSession = eq(erasures.sessionId, sessionId)
  await db
    .update(erasures)
    .set({ firstSweptAt: sql`now()`, lastSweptAt: sql`now()`, receipt: 'a.b.c' })
    .where(ofSession)
  t.match(await get(7, session.location ?? ''), { body: { state: 'erased', receipt: 'a.b.c' } })
  await db.update(erasures).set({ lockedUntil: sql`now() + interval '1 day'` }).where(ofSession)
  t.match(await get(7, session.location ?? ''), { body: { state: 'locked', locked_until: /Z$/ } })
  await db.update(erasures).set({ userId: null })
  t.match(await get(7, session.location ?? ''), none, 'of an older release')
})

t.test('in an outage the public keys are not asked for again by each request', async (t) => {
  const { db, host } = await contents(t)
  const statusOf = async () => (await fetch(`${host.url}/contents/api/erasure/keys`)).status
  await db.execute(sql`alter table receipt_keys rename to lost_keys`)
  t.equal(await statusOf(), 500)
  await db.execute(sql`alter table lost_keys rename to receipt_keys`)
  t.equal(await statusOf(), 500, 'a failure is kept for a second')
})

t.test('the public keys of receipts need no token', async (t) => {
  const { db, host } = await contents(t)
  const url = `${host.url}/contents/api/erasure/keys`
  await db.execute(sql`insert into receipt_keys (kid, x) values ('a', 'b')`)
  const response = await fetch(url)
  t.equal(response.status, 200)
  t.strictSame(await response.json(), {
    keys: [{ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig', kid: 'a', x: 'b' }],
  })
})
