import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import type { Test } from 'tap'

const picture = fileURLToPath(new URL('../../../.github/console.png', import.meta.url))
const words = new URL('./picture.txt', import.meta.url)

/**
 * Keeps the picture of the README true. Pixels differ between machines, so what is compared are the words of the page; with
 * `UPDATE_PICTURE=1` both are written anew.
 */
export async function checkPicture(t: Test, page: Page): Promise<void> {
  const shown = await page.evaluate('document.body.innerText')
  const now = `${shown}`.replace(/\d+/g, '#').replace(/\s*\n\s*/g, '\n')
  if (process.env.UPDATE_PICTURE) {
    await page.screenshot({ path: picture })
    await writeFile(words, now)
  }
  t.equal(now, await readFile(words, 'utf8'), 'the picture of the README is old: run this test with UPDATE_PICTURE=1')
}
