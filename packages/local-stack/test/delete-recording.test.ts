import { disagreements, storeBackends, testBucket, until } from '@playtherapy/testing'
import t from 'tap'
import { record, recordingPlace } from './recording-place.ts'

const [short, long] = await Promise.all([record(1), record(20, '1280x720', 'mpeg4')])
const script = { scripts: [{ speaker: 'T', text: '무서워요.', start_time: '00:00:00', end_time: '00:00:01' }] }
const report = { reports: { Evaluation: { category: 'Evaluation', descriptions: '', interactions: [], level: 1 } } }

for (const backend of storeBackends) {
  t.test(`${backend}: a deleted recording is gone, with its jobs and objects, and nothing else is`, async (t) => {
    const place = await recordingPlace(t, backend === 's3' ? await testBucket() : undefined)
    const { sql, store, host, call, addSession, upload, encoded, startWorker } = place
    startWorker()
    const [mine, other] = [await addSession(), await addSession()]
    for (const session of [mine, other]) await upload(session, short)
    for (const session of [mine, other]) await encoded(session)
    const form = new FormData()
    form.set('script', new Blob([JSON.stringify(script)]), 'script.json')
    t.match(await call('POST', `${mine}/script`, form), [200])
    const delivered = await fetch(`${host.url}/contents/api/case${mine}/analyze-report`, {
      method: 'POST',
      headers: { ...host.withClaims({ scope: 'reports:write' }), 'content-type': 'application/json' },
      body: JSON.stringify(report),
    })
    t.equal(delivered.status, 200)
    const objectsOf = async (session: string) => {
      const found: string[] = []
      const prefix = `video/LOCAL/${session.split('/')[1]}/${session.split('/')[3]}/`
      for await (const { key } of store.list(prefix)) found.push(key)
      return found.length
    }
    const nothingLeft = async () =>
      t.equal(
        await until(
          'no object',
          () => objectsOf(mine),
          (count) => count === 0,
        ),
        0,
      )

    t.strictSame(await call('DELETE', `${mine}/video`), [200, true])
    t.match(await call('GET', mine), [
      200,
      {
        ...{ encoding_state_id: 5, script_state_id: 3, analyze_state_id: 3, video_length: null },
        ...{ origin_video_url: null, encoding_video_url: null, source_script_url: /script_v1/ },
      },
    ])
    t.match(await call('GET', `${mine}/video`), [400, { error_code: 5 }])
    t.strictSame(await call('GET', `${mine}/script`), [200, script])
    t.strictSame(await call('GET', `${mine}/analyze-report`), [200, report])
    await nothingLeft()

    await upload(mine, long)
    await until('an encode that runs', async () => {
      const [row] = await sql`select 1 from videos where state = 'encoding'`
      return row !== undefined
    })
    t.strictSame(await call('DELETE', `${mine}/video`), [200, true])
    t.match(await call('GET', mine), [200, { encoding_state_id: 5 }])
    await nothingLeft()

    await upload(mine, short)
    t.match(await encoded(mine), { encoding_state_id: 3, video_length: '00:00:01' }, 'a new recording is encoded')
    await until(
      'the whole recording of the other session: the original, its rung, the MP4, poster and storyboard',
      () => objectsOf(other),
      (count) => count === 5,
    )
    const settled = await until(
      'the end of every job',
      () => disagreements(sql, store),
      ({ stuck, orphaned }) => stuck.length + orphaned.length === 0,
    )
    t.strictSame(settled, { lost: [], orphaned: [], stuck: [] })
  })
}
