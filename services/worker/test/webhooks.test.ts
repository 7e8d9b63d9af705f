import type { ServerResponse } from 'node:http'
import { cases, deadLetters, outbox, retry, sessions, videos, webhookPosition, webhooks } from '@playtherapy/schema'
import { createMeter } from '@playtherapy/service-kit'
import { seedSession, testDatabase } from '@playtherapy/testing'
import { eq, isNotNull, sql } from 'drizzle-orm'
import { Webhook } from 'standardwebhooks'
import t, { type Test } from 'tap'
import { announceWebhooks, endWebhooks, forgetDeadWebhooks } from '../src/webhook/changes.ts'
import { createSendWebhook, createWebhookFailed } from '../src/webhook/send-webhook.ts'
import { nextSecret, type Received, secret, startReceiver } from './webhook-support.ts'

const { signal } = new AbortController()
const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }
const ok = (response: ServerResponse) => response.writeHead(204).end()

/** A session, a receiver, and the parts of a worker, called by hand. */
async function prepare(t: Test, answer: (response: ServerResponse, received: Received) => void, secrets = [secret]) {
  const { db } = await testDatabase(t)
  await announceWebhooks(db)
  const { caseId, sessionId } = await seedSession(db, 7)
  const receiver = await startReceiver(t, answer)
  const whose = { user_id: 7, case_id: caseId, session_id: sessionId }
  const meter = createMeter(silent)
  const send = createSendWebhook({
    db,
    meter,
    receiver: { url: new URL(receiver.url), secrets, internalAddresses: ['127.0.0.0/8'], attemptMs: 500 },
  })
  /** Lets what is due later be due now. */
  const hurry = () => db.update(webhooks).set({ nextAt: sql`now()`, heldUntil: null })
  /** The state of the script tells messages apart. */
  const setState = (scriptStateId: number) =>
    db.update(sessions).set({ scriptStateId }).where(eq(sessions.id, sessionId))
  const jobs = () => db.$count(outbox, eq(outbox.name, 'send-webhook'))
  const run = async () => {
    await hurry()
    await send(whose, { signal, log: silent })
  }
  return { db, caseId, whose, run, send, setState, jobs, received: receiver.received }
}

t.test('a change is told once, signed, by ids and states only', async (t) => {
  const { db, whose, run, received, jobs } = await prepare(t, ok, [nextSecret, secret])
  t.equal(await announceWebhooks(db), 1)
  t.equal(await announceWebhooks(db), 0)
  await run()
  const [first] = received
  t.strictSame(first?.data, {
    ...whose,
    deleted: false,
    session: { session_state_id: 1, encoding_state_id: 5, script_state_id: 5, analyze_state_id: 5 },
    video: null,
    script: null,
    report: null,
  })
  const headers = Object.fromEntries(Object.entries(first?.headers ?? {}).map(([name, value]) => [name, String(value)]))
  for (const each of [secret, nextSecret])
    t.ok(new Webhook(each).verify(first?.text ?? '', headers), 'while they rotate')
  t.equal(await db.$count(webhooks), 0, 'nothing is left')
  await run()
  t.equal(received.length, 1, 'a job that comes again sends nothing')
  t.equal(await jobs(), 1, 'which the queue ends')
})

t.test('each attempt has the same id and body, and the next message waits for it', async (t) => {
  let status = 500
  const { db, run, setState, received, jobs, send, whose } = await prepare(t, (response) =>
    response.writeHead(status).end(),
  )
  await setState(1)
  await announceWebhooks(db)
  await run()
  t.equal(await jobs(), 2, 'the next attempt is announced')
  const [written] = await db.select().from(webhooks)
  t.equal(received[0]?.timestamp, written?.firstAt?.toISOString(), 'the time is that of the database')
  const [row] = await db
    .select({ s: sql<number>`extract(epoch from ${webhooks.nextAt} - now())::float8` })
    .from(webhooks)
  t.ok(row && row.s > 1 && row.s <= 5)
  await send(whose, { signal, log: silent })
  t.equal(received.length, 1, 'which is not made before it is due')
  await setState(3)
  t.equal(await announceWebhooks(db), 0, 'no queue grows')
  await run()
  status = 200
  await run()
  await run()
  t.equal(received.length, 4)
  const [first, second, third, last] = received
  t.strictSame([second?.id, second?.text, third?.id, third?.text], [first?.id, first?.text, first?.id, first?.text])
  t.not(last?.id, first?.id)
  t.strictSame(
    [first, last].map((each) => each?.data.session?.script_state_id),
    [1, 3],
  )
  t.equal(await db.$count(webhooks), 0)
})

t.test('the receiver may ask for a longer pause, but not for any', async (t) => {
  let asked = '120'
  const { db, run } = await prepare(t, (response) => response.writeHead(503, { 'retry-after': asked }).end())
  await announceWebhooks(db)
  const pause = async () => {
    const [row] = await db
      .select({ s: sql<number>`extract(epoch from ${webhooks.nextAt} - now())::float8` })
      .from(webhooks)
    return Math.round(row?.s ?? 0)
  }
  await run()
  t.ok(Math.abs((await pause()) - 120) < 5)
  asked = '999999999999999999999'
  await run()
  t.ok(Math.abs((await pause()) - 4 * 3_600) < 5)
  asked = 'soon'
  await run()
  t.ok((await pause()) <= 45)
})

for (const status of [410, 302, 304, 308]) {
  t.test(`${status} ends a message, and operators can have the state told later`, async (t) => {
    const { db, run, setState, whose, received } = await prepare(t, (response) =>
      response.writeHead(status, { location: '/elsewhere' }).end(),
    )
    await announceWebhooks(db)
    await t.rejects(run(), {
      name: 'PermanentError',
      message: `The receiver of webhooks wants no such message: it answered ${status}.`,
    })
    t.equal(received.length, 1, 'nothing follows it')
    t.notOk(await createWebhookFailed(db)(whose, 'it answered'), 'the worker needs to write no dead letter')
    t.equal(await db.$count(webhooks), 0)
    const [letter] = await deadLetters(db)
    t.match(letter, { payload: whose, attempts: 1, failure: 'it answered', isRefused: false }, 'for it is written')
    t.ok(await retry(db, letter?.id ?? 0))
    await setState(3)
    await t.rejects(run())
    t.equal(received[1]?.data.session?.script_state_id, 3)
    t.not(received[1]?.id, received[0]?.id)
  })
}

t.test('after a day a message is given up, and what changed meanwhile is tried', async (t) => {
  const { db, run, setState, whose, received, jobs } = await prepare(t, (response) => response.writeHead(404).end())
  await announceWebhooks(db)
  await run()
  await setState(3)
  await announceWebhooks(db)
  await db.update(webhooks).set({ firstAt: sql`now() - interval '1 day'` })
  await t.rejects(run(), { message: 'The receiver of webhooks took no message for a day: it answered 404.' })
  const before = await jobs()
  await createWebhookFailed(db)(whose, 'x')
  t.equal(await jobs(), before + 2, 'the next message, and the dead letter of this one')
  t.match(await deadLetters(db), [{ attempts: 2 }])
  await run()
  t.equal(received.at(-1)?.data.session?.script_state_id, 3)
  t.not(received.at(-1)?.id, received[0]?.id)
})

t.test('slow and endless responses are bounded', async (t) => {
  let answer = (response: ServerResponse) => void response.writeHead(200).write('x')
  const { db, run, setState, received } = await prepare(t, (response) => answer(response))
  await announceWebhooks(db)
  await run()
  t.equal(await db.$count(webhooks), 0, 'the status says that it has arrived')
  let sent = 0
  answer = (response) => {
    response.writeHead(200)
    const chunk = Buffer.alloc(65_536)
    const write = () => {
      while (!response.destroyed && response.write(chunk)) sent += chunk.length
      sent += chunk.length
    }
    response.on('drain', write).on('error', () => {})
    write()
  }
  await setState(1)
  await announceWebhooks(db)
  await run()
  t.ok(sent < 16 * 1024 ** 2, `${sent}`)
  t.equal(await db.$count(webhooks), 0)
  answer = () => {}
  await setState(3)
  await announceWebhooks(db)
  await run()
  t.match(await db.select().from(webhooks), [{ attempts: 1, heldUntil: null }], 'no answer in time is a failure')
  t.equal(received.length, 3)
})

t.test('the newest recording is the one that the media service names', async (t) => {
  const { db, whose, run, received } = await prepare(t, ok)
  const { session_id: sessionId } = whose
  await db.insert(videos).values({
    ...{ sessionId, state: 'encoded', path: 'a.mp4', container: 'mp4', size: 5, etag: '"1"', storedAt: sql`now()` },
  })
  await db.insert(videos).values({ sessionId, state: 'receiving', path: 'b.mp4', received: 0 })
  await announceWebhooks(db)
  await run()
  t.strictSame(received[0]?.data.video, { state: 'encoded' }, 'an upload that has brought nothing hides no recording')
  await db.insert(videos).values({ sessionId, state: 'receiving', path: 'c.mp4', received: 1 })
  await announceWebhooks(db)
  await run()
  t.strictSame(received[1]?.data.video, { state: 'receiving' })
})

t.test('a deleted session is told of, and so is one that was given to another therapist', async (t) => {
  const { db, run, caseId, whose, received } = await prepare(t, ok)
  await db.update(cases).set({ userId: 8 }).where(eq(cases.id, caseId))
  t.equal(await announceWebhooks(db), 2)
  await run()
  t.strictSame(received[0]?.data, { ...whose, deleted: true, session: null, video: null, script: null, report: null })
  await db.delete(cases).where(eq(cases.id, caseId))
  await announceWebhooks(db)
  const left = await db.select({ userId: webhooks.userId }).from(webhooks)
  t.same(left, [{ userId: 8 }])
})

t.test('a worker without a receiver takes nothing from those that have one', async (t) => {
  const { db, whose, run, received } = await prepare(t, ok)
  await announceWebhooks(db)
  const sendNothing = createSendWebhook({ db, receiver: undefined, meter: createMeter(silent) })
  await t.rejects(sendNothing(whose, { signal, log: silent }), { name: 'PostponedError' })
  t.strictSame(await endWebhooks(db), { areOn: true, removed: 0 })
  await run()
  t.equal(received.length, 1)
  await sendNothing(whose, { signal, log: silent })
})

t.test('when no worker has a receiver any more nothing remains', async (t) => {
  const { db, whose, setState } = await prepare(t, ok)
  await announceWebhooks(db)
  const notSeenFor = (time: string) => db.update(webhookPosition).set({ seenAt: sql`now() - ${time}::interval` })
  await notSeenFor('11 minutes')
  t.equal(await announceWebhooks(db), 0)
  t.strictSame(await endWebhooks(db), { areOn: true, removed: 0 }, 'a worker that has nothing to send is seen, too')
  await notSeenFor('9 minutes')
  t.strictSame(await endWebhooks(db), { areOn: true, removed: 0 })
  await notSeenFor('11 minutes')
  t.strictSame(await endWebhooks(db), { areOn: false, removed: 1 })
  await createSendWebhook({ db, receiver: undefined, meter: createMeter(silent) })(whose, { signal, log: silent })
  await setState(1)
  t.equal(await announceWebhooks(db), 0, 'it begins with what changes from then on')
  t.equal(await announceWebhooks(db), 0)
  await setState(3)
  t.equal(await announceWebhooks(db), 1)
})

t.test('an operator may repeat a webhook while it is given up once more', async (t) => {
  const { db, whose, run } = await prepare(t, (response) => response.writeHead(410).end())
  await announceWebhooks(db)
  await t.rejects(run())
  await createWebhookFailed(db)(whose, 'x')
  for (let round = 0; round < 20; round++) {
    const [letter] = await deadLetters(db)
    await db.insert(webhooks).values({ userId: 7, caseId: whose.case_id, sessionId: whose.session_id, change: 0 })
    await t.resolves(Promise.all([retry(db, letter?.id ?? 0), createWebhookFailed(db)(whose, 'x')]))
    t.equal((await deadLetters(db)).length, 1)
    await db.delete(webhooks)
  }
})

t.test('of a session one dead letter is kept, for a week', async (t) => {
  const { db, whose, run } = await prepare(t, (response) => response.writeHead(410).end())
  const dead = { name: 'send-webhook', failedAt: sql`now()`, failure: 'x' } as const
  await db.insert(outbox).values([whose, { ...whose, session_id: 99 }].map((payload) => ({ ...dead, payload })))
  await announceWebhooks(db)
  await t.rejects(run())
  await createWebhookFailed(db)(whose, 'new')
  const letters = [{ payload: { session_id: 99 } }, { payload: whose, failure: 'new' }]
  t.match(await deadLetters(db), letters, 'that of another session stays')
  await forgetDeadWebhooks(db)
  t.equal((await deadLetters(db)).length, 2)
  await db.update(outbox).set({ failedAt: sql`now() - interval '8 days'` }).where(isNotNull(outbox.failedAt))
  await forgetDeadWebhooks(db)
  t.equal((await deadLetters(db)).length, 0)
})
