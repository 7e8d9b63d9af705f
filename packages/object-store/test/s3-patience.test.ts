/** S3 servers that are slow with one request, or silent for a while. */
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { storeBackends } from '@playtherapy/testing'
import t from 'tap'
import { StoreSilentError } from '../src/index.ts'
import { readsThroughProxy } from './support.ts'

const skip = storeBackends.includes('s3') ? false : 'there is no S3 server here'
const contentType = 'video/mp4'

t.test('a copy whose response is lost is waited for', { skip }, async (t) => {
  const isCopy = ({ headers }: IncomingMessage) => headers['x-amz-copy-source'] !== undefined
  let copies = 0
  const { reading, writing } = await readsThroughProxy(t, (request, response) => {
    if (!isCopy(request)) return false
    // The connection breaks, and the server goes on.
    copies += 1
    response.destroy()
    return true
  })
  const key = 'a/1.mp4'
  const url = await writing.presignPut(key, { contentType, expiresIn: 60 })
  t.equal((await fetch(url, { method: 'PUT', body: 'x', headers: { 'content-type': contentType } })).status, 200)
  const { etag = '' } = (await writing.inspectUpload(key, 9)) ?? {}
  const adopted = reading.adoptUpload(key, etag)
  setTimeout(() => writing.adoptUpload(key, etag), 700)
  t.match(await adopted, { size: 1, etag })
  t.equal(copies, 3)
})

t.test('a job reads on after a silence, and a request is told of it', { skip }, async (t) => {
  for (const asksAgain of [true, false]) {
    let silences = 2
    const place = await readsThroughProxy(t, () => silences-- > 0, { silenceMs: 300, asksAgain })
    await place.writing.put('1.mp4', Buffer.from('abcdef'), { contentType })
    const read = place.reading.get('1.mp4').then(text)
    if (asksAgain) t.equal(await read, 'abcdef')
    else await t.rejects(read, StoreSilentError)
    silences = 2
    const stored = place.reading.put('2.mp4', Buffer.from('ghi'), { contentType })
    if (asksAgain) t.match(await stored, { size: 3 })
    else await t.rejects(stored, StoreSilentError)
  }
})
