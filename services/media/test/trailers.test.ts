import { storeBackends, testStore, until } from '@playtherapy/testing'
import t from 'tap'
import { clip, closing, form, isNothing, partOf, testMedia } from './support.ts'

for (const backend of storeBackends) {
  t.test(`${backend}: a message that is invalid at its end never completes an object`, async (t) => {
    const store = await testStore(t, backend)
    let completed = 0
    const media = await testMedia(t, {
      store: {
        ...store,
        async put(...given) {
          const stored = await store.put(...given)
          completed++
          return stored
        },
      },
    })
    for (const size of [100_000, 6_000_000]) {
      const bytes = clip(size)
      const open = Buffer.concat([Buffer.from(partOf('file', 'a.mp4')), bytes])
      const many = Array.from({ length: 20 }, (_, field): [string, string] => [`field ${field}`, 'x'])
      const bodies = {
        'no end of the part': open,
        'no end of the message': Buffer.concat([open, Buffer.from(closing.slice(0, -4))]),
        'a part without a header': Buffer.concat([open, Buffer.from(`${closing.slice(0, -4)}\r\n\r\n`)]),
        'a second file': form(['file', bytes], ['file', bytes]),
        'too many fields': form(['file', bytes], ...many),
      }
      for (const [what, body] of Object.entries(bodies)) {
        const { status } = await media.upload(body)
        t.equal(status, 422, `${what} after ${size} bytes`)
        t.equal(completed, 0, `${what} after ${size} bytes`)
      }
    }
    t.ok(isNothing(await until('no object and no row is left', () => media.left(), isNothing)))
    t.equal((await media.upload(form(['file', clip()]))).status, 201)
    t.equal(completed, 1)
  })
}
