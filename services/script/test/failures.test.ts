import { rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { createFileStore } from '@playtherapy/object-store'
import { scriptVersions, sessions } from '@playtherapy/schema'
import { testStore } from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { form, saved, testScripts } from './support.ts'

const script = '{"scripts":[]}'

t.test('nobody reads or changes the scripts of others', async (t) => {
  const { addSession, db, get, host, objects, place, post, urlOf } = await testScripts(t, await testStore(t, 'file'))
  const foreign = await addSession(8)
  const mine = await addSession(7)
  t.same(await post(form(script)), saved)
  const ways = {
    'a case of somebody else': [foreign, 2],
    'a session of somebody else below an own case': [{ ...place, sessionId: foreign.sessionId }, 3],
    'a session of another own case': [{ ...place, sessionId: mine.sessionId }, 3],
    'a case that is not there': [{ ...place, caseId: 2_147_483_647 }, 2],
    'a session that is not there': [{ ...place, sessionId: 2_147_483_647 }, 3],
  } as const
  for (const [what, [at, code]] of Object.entries(ways)) {
    t.match(await get(at), { status: 400, body: { error_code: code } }, `GET ${what}`)
    t.match(await post(form(script), at), { status: 400, body: { error_code: code } }, `POST ${what}`)
    t.match(
      await post('not even multipart', at),
      { status: 400, body: { error_code: code } },
      `POST before input: ${what}`,
    )
  }
  const stranger = host.as(8)
  t.match(await get(place, stranger), { status: 400, body: { error_code: 2 } })
  t.match(await post(form(script), place, stranger), { status: 400, body: { error_code: 2 } })
  for (const headers of [{ authorization: 'Bearer undefined' }, { authorization: '' }]) {
    t.match(await get(place, headers), { status: 401, body: { error_code: 0 } })
    t.match(await post(form(script), place, headers), { status: 401, body: { error_code: 0 } })
  }
  t.match(await get({ ...place, sessionId: Number.NaN }), { status: 422, body: { error_code: 8 } })
  t.equal((await fetch(urlOf(place), { method: 'DELETE', headers: host.as(7) })).status, 405)
  t.equal((await objects()).length, 1)
  t.equal((await db.select().from(scriptVersions)).length, 1)
})

t.test('a save and a read fail when the object store fails', async (t) => {
  const directory = t.testdir()
  const { db, get, post, session } = await testScripts(t, createFileStore({ directory }))
  t.same(await post(form(script)), saved)
  await rm(directory, { recursive: true })
  t.match(await get(), {
    status: 400,
    body: { error_code: 1001, message: /^File \[script_v1-[0-9a-f]{32}\.json\] Download failed\.$/ },
  })
  // A file where the store's folder was: nothing can be written.
  await writeFile(directory, '')
  t.match(await post(form(`${script} `)), {
    status: 400,
    body: {
      error_code: 1000,
      message: 'File [script.json] Upload failed.',
      detail: [{ loc: ['body', 'script'], type: 'store_unavailable' }],
    },
  })
  t.match(await session(), { scriptStateId: 3, lastScriptVersion: 2 })
  await rm(directory)
  t.same(await post(form(`${script} `)), saved)
  const rows = await db.select().from(scriptVersions).orderBy(scriptVersions.version)
  t.same(
    rows.filter(({ state }) => state === 'stored').map(({ version }) => version),
    [1, 3],
    'a gap, and no number twice',
  )
})

t.test('a version number that is used again, after the restore of an older database, gets another key', async (t) => {
  const store = await testStore(t, 'file')
  const { db, objects, post, session } = await testScripts(t, store)
  t.same(await post(form(script)), saved)
  const [older = ''] = await objects()
  const before = await store.head(older)
  // The backup was made before. The test disables the triggers to restore it.
  await db.transaction(async (tx) => {
    await tx.execute(sql`set local session_replication_role = replica`)
    await tx.update(sessions).set({ scriptVersionId: null, lastScriptVersion: 0 })
    await tx.delete(scriptVersions)
  })
  t.same(await post(form(`${script} `)), saved)
  t.match(await session(), { lastScriptVersion: 1 })
  t.strictSame(await store.head(older), before, 'what lay there stays')
  t.equal((await objects()).length, 2)
})

t.test('an object with another ETag than the recorded one is not served', async (t) => {
  const store = createFileStore({ directory: t.testdir() })
  const { get, post, objects } = await testScripts(t, store)
  t.same(await post(form(script)), saved)
  const [key = ''] = await objects()
  await store.delete([key])
  await store.put(key, Buffer.from('{"scripts":[1]}'), { contentType: 'application/json' })
  t.match(await get(), { status: 400, body: { error_code: 1001 } })
})

t.test('a save gets errors.sessionNotFound when its session is deleted meanwhile', async (t) => {
  const store = await testStore(t, 'file')
  let meanwhile = async () => {}
  const { db, objects, place, post } = await testScripts(t, {
    ...store,
    async put(key, body, options) {
      const stored = await store.put(key, body, options)
      await meanwhile()
      return stored
    },
  })
  meanwhile = async () => void (await db.delete(sessions).where(eq(sessions.id, place.sessionId)))
  t.match(await post(form(script)), { status: 400, body: { error_code: 3 } })
  t.same(await objects(), [])
})

t.test('a client that disconnects during a save', async (t) => {
  const { db, host, objects, place, post, urlOf } = await testScripts(t, await testStore(t, 'file'))
  for (let round = 0; round < 20; round++) {
    await new Promise<void>((resolve) => {
      const client = request(urlOf(place), {
        method: 'POST',
        headers: { ...host.as(7), 'content-type': 'multipart/form-data; boundary=x', 'content-length': 20_000_000 },
      })
      client.on('error', () => {})
      client.once('close', resolve)
      client.write('--x\r\ncontent-disposition: form-data; name="script"\r\n\r\n{"scripts":[')
      client.write(Buffer.alloc(15_000_000, ' '), () => client.destroy())
    })
  }
  // Twenty times 15 MB are more than the service may hold, if it keeps a body after its client disconnected.
  const whole = Buffer.concat([Buffer.from(script), Buffer.alloc(15_000_000, ' ')])
  let answer = await post(form(whole))
  while (answer.status === 429) answer = await post(form(whole))
  t.same(answer, saved)
  t.equal((await objects()).length, 1)
  t.same(
    (await db.select().from(scriptVersions)).map(({ version }) => version),
    [1],
  )
})

t.test('the memory of one therapist is bounded, and no other therapist notices', async (t) => {
  const store = await testStore(t, 'file')
  let release = () => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  let waiting = 0
  const { addSession, host, place, post, urlOf } = await testScripts(t, {
    ...store,
    async put(key, body, options) {
      waiting++
      await gate
      return store.put(key, body, options)
    },
  })
  const large = Buffer.alloc(20 * 1024 ** 2, ' ')
  large.write(script)
  const send = async (body: FormData, userId: number, at = place) =>
    fetch(urlOf(at), { method: 'POST', body, headers: host.as(userId) })
  const held = []
  // There is room for three of the largest scripts, one of each therapist.
  for (const userId of [7, 8, 9]) {
    held.push(send(form(large), userId, userId === 7 ? place : await addSession(userId)))
    while (waiting < held.length) await new Promise(setImmediate)
    const more = await send(form(large), 7)
    t.match([more.status, await more.json()], [429, { error_code: 10 }], 'beyond the own share')
    t.match(more.headers.get('retry-after'), /^\d+$/)
  }
  const refused = await send(form(large), 10, await addSession(10))
  t.match([refused.status, await refused.json()], [503, { error_code: 10 }], 'beyond what there is')
  t.match(refused.headers.get('retry-after'), /^\d+$/)
  const small = send(form(script), 11, await addSession(11))
  while (waiting < 4) await new Promise(setImmediate)
  release()
  for (const answer of await Promise.all([...held, small])) t.equal(answer.status, 200)
  t.same(await post(form(`${script} `)), saved, 'what was held is free again')
})
