import { setTimeout as sleep } from 'node:timers/promises'
import { storeBackends, until } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { faultPlace, makeClip } from './place.ts'

async function begin(t: Test) {
  const place = await faultPlace(t)
  const [media, worker] = [await place.host(), await place.worker()]
  await worker.restart()
  return { place, media, session: await place.addSession(), clip: await makeClip(12) }
}

const isPart = ({ method, query }: { method: string; query: string }) =>
  method === 'PUT' && query.includes('partNumber')

t.test(
  'the object store fails, and no recording is lost or half stored',
  { skip: !storeBackends.includes('s3') },
  async (t) => {
    await Promise.all([
      (async () => {
        const { place, media, session, clip } = await begin(t)
        place.gate.before = (request) => (isPart(request) ? 500 : undefined)
        t.equal(await place.upload(media, session, clip), 400, '500 for parts: refused')
        place.gate.before = () => undefined
        t.equal(await place.upload(media, session, clip), 201)
        await place.works(media)
      })(),
      (async () => {
        const { place, media, session, clip } = await begin(t)
        let failures = 0
        place.gate.before = ({ method, path }) =>
          method === 'GET' && path.endsWith('.mp4') && failures++ < 8 ? 503 : undefined
        t.equal(await place.upload(media, session, clip), 201, '503 for the reading worker')
        await place.encoded(session)
        t.ok(failures > 8, 'it tried again')
        await place.works(media)
      })(),
      (async () => {
        const { place, media, session, clip } = await begin(t)
        place.gate.before = async (request) => {
          if (isPart(request)) await sleep(1_500)
        }
        t.equal(await place.upload(media, session, clip), 201, 'slow parts: only slower')
        await place.works(media)
      })(),
      (async () => {
        const { place, media, session, clip } = await begin(t)
        let cuts = 0
        place.gate.before = (request) => (isPart(request) && cuts++ < 2 ? 'cut' : undefined)
        t.equal(await place.upload(media, session, clip), 201, 'a cut connection: the part is sent again')
        await place.works(media)
      })(),
      (async () => {
        const { place, media, session, clip } = await begin(t)
        let goOn = () => {}
        const silence = new Promise<void>((resolve) => {
          goOn = resolve
        })
        place.gate.before = async (request) => {
          if (isPart(request)) await silence
        }
        const leave = async () => {
          await until('a row', async () => (await place.sql`select 1 from videos`).length > 0)
          throw new Error('gone')
        }
        t.equal(await place.upload(media, session, clip, leave), 0, 'a hang, until the client leaves')
        goOn()
        place.gate.before = () => undefined
        await place.works(media)
        const rows = await place.sql`select state::text from videos where session_id = ${session}`
        t.strictSame([...rows], [{ state: 'failed' }], 'and only its failure is remembered')
      })(),
    ])
  },
)
