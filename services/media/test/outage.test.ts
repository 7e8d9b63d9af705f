import type { ObjectStore } from '@playtherapy/object-store'
import { openDatabase, outbox, videos } from '@playtherapy/schema'
import { flakyLink, seedSession, type Teardown, testDatabase, testHost, testStore } from '@playtherapy/testing'
import t from 'tap'
import { mediaApp } from '../src/app.ts'
import { clip, form, openUpload } from './support.ts'

/** Starts a media service behind a database link that a test can break between the stored object and the commit. */
async function overFlakyLink(t: Teardown) {
  const { db, urls } = await testDatabase(t)
  const link = await flakyLink(t, urls.media)
  const store = await testStore(t, 'file')
  // One connection keeps the statements on the link in order.
  const database = openDatabase({ url: link.url, max: 1, applicationName: 'test' })
  t.teardown(() => database.close())
  let afterPut = () => {}
  const breaking: ObjectStore = {
    ...store,
    async put(...call) {
      const stored = await store.put(...call)
      afterPut()
      return stored
    },
  }
  const app = mediaApp({ db: database.db, store: breaking, phase: 'LOCAL', uploadLimit: 20_000_000 })
  const host = await testHost(t, app)
  const { caseId, sessionId } = await seedSession(db, 7)
  const path = `/contents/api/case/${caseId}/session/${sessionId}/video`
  return {
    link,
    async upload(breakLink: () => void) {
      afterPut = breakLink
      const upload = openUpload(host.url + path, host.as(7))
      upload.request.end(form(['file', clip()]))
      const answer = await upload.answer
      const objects: string[] = []
      for await (const { key } of store.list('')) objects.push(key)
      const jobs = (await db.select().from(outbox)).map(({ name }) => name)
      const rows = (await db.select().from(videos)).map(({ state }) => state)
      return { status: answer.status, objects: objects.length, jobs, rows }
    },
  }
}

const kept = { status: 201, objects: 1, jobs: ['encode-video'], rows: ['stored'] }

t.test('an upload survives a restart of the database at its end', async (t) => {
  const { link, upload } = await overFlakyLink(t)
  const breakLink = () => {
    link.cut()
    setTimeout(link.mend, 1_500)
  }
  t.strictSame(await upload(breakLink), kept)
})

t.test('a commit whose response is lost is not repeated', async (t) => {
  const { link, upload } = await overFlakyLink(t)
  t.strictSame(await upload(() => link.loseAnswerAfter('encode-video')), kept)
})
