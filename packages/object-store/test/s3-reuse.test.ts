import { storeBackends, testBucket } from '@playtherapy/testing'
import t from 'tap'
import { createS3Store } from '../src/index.ts'

const skip = storeBackends.includes('s3') ? false : 'there is no S3 server here'

t.test('requests of uploads of different sizes reuse the memory of those before', { skip }, async (t) => {
  const store = createS3Store(await testBucket())
  t.teardown(() => store.close())
  const allocations = t.capture(Buffer, 'allocUnsafeSlow', Buffer.allocUnsafeSlow)
  const { signal } = new AbortController()
  const chunk = Buffer.alloc(1024 ** 2)
  async function* body(bytes: number) {
    for (let at = 0; at < bytes; at += chunk.length) yield chunk.subarray(0, bytes - at)
  }
  for (let n = 0; n < 5; n++) {
    const key = `video/${n}`
    const requestBytes = Math.round((5 + 3 * (n / 4)) * 1024 ** 2)
    const id = await store.beginUpload(key)
    const options = { length: undefined, onPart: () => {}, signal }
    const append = (nextPart: number, bytes: number) => {
      const begun = { id, partsBytes: (nextPart - 1) * requestBytes, nextPart, tail: undefined, requestBytes }
      return store.appendUpload(key, begun, body(bytes), options)
    }
    t.equal(await append(1, requestBytes), undefined, 'a part')
    t.match(await append(2, requestBytes - 1), { size: requestBytes - 1 }, 'a tail')
    await store.put(`video/${n}.jpg`, body(3), { contentType: 'image/jpeg' })
  }
  // A tail of 5 MiB or more is stored in parts, from buffers of its own.
  const sizes = allocations().map(({ args }) => args[0])
  t.ok(sizes.length <= 3, `${sizes}`)
})
