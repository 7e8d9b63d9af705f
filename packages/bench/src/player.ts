import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

/** hls.js in Chromium, on a page of the service's own origin. */
export interface Player {
  /** Plays a recording. Resolves when its first frame is shown. */
  firstFrame(playlist: string): Promise<void>
  stop(): Promise<void>
}

const page = `<!doctype html><video muted playsinline></video>
<script type="module">
import Hls from '/bench/hls.mjs'
const video = document.querySelector('video')
let hls
window.firstFrame = (playlist) => new Promise((resolve, reject) => {
  hls?.destroy()
  hls = new Hls()
  hls.on(Hls.Events.ERROR, (_, { fatal, details }) => fatal && reject(new Error(details)))
  video.requestVideoFrameCallback((_, { mediaTime }) =>
    mediaTime < 1 ? resolve() : reject(new Error('it does not begin at the beginning')))
  hls.loadSource(playlist)
  hls.attachMedia(video)
  video.play().catch(reject)
})
window.isReady = true
</script>`

/** Opens Debian's Chromium, so that no time is lost when a recording can be played. */
export async function openPlayer(origin: string): Promise<Player> {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
  })
  const tab = await browser.newPage()
  const library = await readFile(fileURLToPath(import.meta.resolve('hls.js')), 'utf8')
  await tab.route(`${origin}/bench/`, (route) => route.fulfill({ contentType: 'text/html', body: page }))
  await tab.route(`${origin}/bench/hls.mjs`, (route) =>
    route.fulfill({ contentType: 'text/javascript', body: library }),
  )
  await tab.goto(`${origin}/bench/`)
  await tab.waitForFunction('window.isReady')
  return {
    firstFrame: (playlist) => tab.evaluate(`window.firstFrame(${JSON.stringify(playlist)})`),
    stop: () => browser.close(),
  }
}
