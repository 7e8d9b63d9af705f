/** Real clients of tus in a real browser, behind the gateway, while the network, the service and the store fail. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { type FlakyLink, flakyLink, hasNginx, startNginx, storeBackends, until } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { browserPath, startBrowser, type Tab } from '../uploader/uploader.ts'
import { faultPlace, makeClip } from './place.ts'

const isInstalled = existsSync(browserPath) && hasNginx() && storeBackends.includes('s3')
const skip = isInstalled || process.env.CI ? false : 'needs chromium, nginx and an S3 server'
const mebibyte = 1024 ** 2
/** A name as macOS spells it. */
const fileName = '놀이 1.mp4'.normalize('NFD')

async function prepare(t: Test) {
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-uploader-'))
  const place = await faultPlace(t)
  const media = await place.media()
  const [browser] = await Promise.all([startBrowser(t), media.restart()])
  const nginx = await startNginx(join(folder, 'nginx'), { media: media.url, store: place.gate.url })
  t.teardown(async () => {
    await nginx.stop()
    await rm(folder, { recursive: true })
  })
  const link = await flakyLink(t, nginx.url)
  const clip = await makeClip(17)
  const file = join(folder, fileName)
  await writeFile(file, clip)

  /** A new session, with what uploads its recording in a tab. */
  async function newUpload(url = link.url) {
    const session = await place.addSession()
    const endpoint = new URL(`${place.pathOf(session)}/tus`, url).href
    const options = { endpoint, headers: { Authorization: place.authorization } }
    return {
      begin: (tab: Tab, client: 'tus' | 'uppy', more = {}) => tab.upload(client, file, { ...options, ...more }),
      /** The session has this recording, with the bytes of the file, and no bytes of another upload are left. */
      async isStored(t: Test) {
        const [row] = await place.sql`select v.state::text, path, size, file_name from sessions s
          join videos v on v.id = s.video_id where s.id = ${session}`
        t.match(row, { state: 'stored', size: String(clip.length), file_name: fileName.normalize('NFC') })
        const bytes = await buffer(await place.store.get(`video/${row?.path}`))
        t.equal(bytes.compare(clip), 0, 'the bytes are those of the file')
        for await (const { key } of place.store.unfinished('')) t.fail(`${key} is unfinished`)
      },
    }
  }
  return { ...place, ...browser, media, link, newUpload }
}

/** Breaks all connections of a link that is frozen, and lets new ones pass. */
function breakOff(link: FlakyLink): void {
  link.cut()
  link.thaw()
  link.mend()
}

t.test('real clients in a browser upload through every fault', { skip, timeout: 180_000 }, async (t) => {
  const place = await prepare(t)
  const { link, media, gate, sql, context, openTab, newUpload } = place
  const newest = async () => (await sql`select * from tus_uploads order by expires_at desc limit 1`)[0]

  for (const [client, cuts] of [
    ['tus', [400, 70_000, mebibyte, 2_000_000]],
    ['uppy', [900, 1_500_000, 1_500_000]],
  ] as const) {
    t.test(`${client}: the connection is cut at many offsets, and the page reloaded`, async (t) => {
      const upload = await newUpload()
      const tab = await openTab()
      let next = link.freezeAfter(1)
      await upload.begin(tab, client)
      for (const bytes of cuts) {
        await next
        next = link.freezeAfter(bytes)
        breakOff(link)
      }
      await next
      await tab.page.reload()
      next = link.freezeAfter(1_000_000)
      breakOff(link)
      await upload.begin(tab, client)
      await next
      breakOff(link)
      const shown = await tab.end()
      t.match(shown, { isDone: true, error: null })
      t.ok((shown.offsets[0] ?? 0) > 0, 'the reloaded page goes on where it was')
      await upload.isStored(t)
      await tab.page.close()
    })
  }

  t.test('tus: media is killed, and started again', async (t) => {
    const upload = await newUpload()
    const tab = await openTab()
    const frozen = link.freezeAfter(6 * mebibyte)
    await upload.begin(tab, 'tus')
    await frozen
    await until('a saved part', async () => (await newest())?.parts_bytes > 0)
    await media.kill('SIGKILL')
    link.thaw()
    await media.restart()
    const shown = await tab.end()
    t.match(shown, { isDone: true, error: null })
    t.ok((shown.offsets.at(-1) ?? 0) >= 5 * mebibyte, 'what was saved is not sent again')
    await upload.isStored(t)
    await tab.page.close()
  })

  t.test('tus: the store answers 503 for a while', async (t) => {
    const upload = await newUpload()
    const tab = await openTab()
    const frozen = link.freezeAfter(3 * mebibyte)
    await upload.begin(tab, 'tus')
    await frozen
    gate.before = ({ method }) => (method === 'PUT' || method === 'POST' ? 503 : undefined)
    link.thaw()
    await until('a failure', async () => (await tab.now()).answers.includes('PATCH 503'))
    gate.before = () => undefined
    t.match(await tab.end(), { isDone: true, error: null })
    await upload.isStored(t)
    await tab.page.close()
  })

  t.test('two tabs upload the same file at once', async (t) => {
    const upload = await newUpload()
    const tabs = [await openTab(), await openTab()] as const
    const frozen = link.freezeAfter(2 * mebibyte)
    await upload.begin(tabs[0], 'tus', { chunkSize: mebibyte })
    await frozen
    await upload.begin(tabs[1], 'tus', { chunkSize: mebibyte })
    link.thaw()
    for (const tab of tabs) t.match(await tab.end(), { isDone: true, error: null })
    await upload.isStored(t)
    for (const { page } of tabs) await page.close()
  })

  t.test('two tabs begin the same file before they know of each other', async (t) => {
    const upload = await newUpload()
    const tabs = [await openTab(), await openTab()] as const
    await Promise.all([
      upload.begin(tabs[0], 'tus', { chunkSize: 3 * mebibyte }),
      upload.begin(tabs[1], 'uppy', { chunkSize: 3 * mebibyte }),
    ])
    const ends = await Promise.all(tabs.map((tab) => tab.end()))
    // The one that began first is refused if the other one was complete before.
    t.ok(ends.some(({ isDone }) => isDone))
    await upload.isStored(t)
    for (const { page } of tabs) await page.close()
  })

  t.test('the network is asleep for longer than media waits', async (t) => {
    const host = await place.host({ uploadIdleMs: 1_000 })
    const direct = await flakyLink(t, host.url)
    const upload = await newUpload(direct.url)
    for (const client of ['tus', 'uppy'] as const) {
      const tab = await openTab()
      const frozen = direct.freezeAfter(3 * mebibyte)
      await upload.begin(tab, client)
      await frozen
      await until('the end of the request', async () => (await newest())?.holder === null)
      // Uppy waits until the browser is online again. The other client gives up while it is not, so it is not told.
      if (client === 'uppy') await context.setOffline(true)
      direct.thaw()
      await context.setOffline(false)
      t.match(await tab.end(), { isDone: true, error: null }, client)
      await tab.page.close()
    }
  })
})
