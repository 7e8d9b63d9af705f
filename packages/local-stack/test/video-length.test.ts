import t from 'tap'
import { record, recordingPlace } from './recording-place.ts'

const [short, middle, long] = await Promise.all([record(1), record(2), record(3)])

t.test('the length is that of the current recording, unless a client set it for this recording', async (t) => {
  const { call, addSession, upload, issue, put, read, encoded, startWorker } = await recordingPlace(t)
  startWorker()

  const session = await addSession()
  await upload(session, short)
  const first = await encoded(session)
  t.match(first, { video_length: '00:00:01' }, 'measured')
  await call('PUT', session, { data: first })
  await upload(session, long)
  t.match(
    await read(session),
    { video_length: '00:00:01' },
    'the first recording is played until the second is encoded',
  )
  t.match(await encoded(session), { video_length: '00:00:03' }, 'what was only sent back was not set')
  t.match(
    await call('PUT', session, { data: { ...first, name: 'Renamed' } }),
    [200, { name: 'Renamed', video_length: '00:00:03' }],
    'nor what was read before the second recording',
  )

  // What the existing client does for a recording.
  const before = await read(session)
  const announced = { ...before, video_length: '00:42:10' }
  await call('PUT', session, { data: announced })
  const { url, path } = await issue(session)
  t.match(await put(url, middle), { status: 200 })
  t.match(await call('PUT', session, { data: { ...announced, origin_video_url: path } }), [
    200,
    { encoding_state_id: 1 },
  ])
  t.match(await encoded(session), { video_length: '00:42:10', encoding_state_id: 3 }, 'a client set it')
  await upload(session, short)
  t.match(await encoded(session), { video_length: '00:00:01' }, 'for its recording and not for the next one')

  await call('PUT', session, { data: { name: 'Corrected', video_length: '00:00:09' } })
  await call('PUT', session, { data: { name: 'Corrected', video_length: '00:00:08' } })
  t.match(
    await call('PUT', session, { data: { name: 'Corrected', video_length: '00:00:09' } }),
    [200, { video_length: '00:00:09' }],
    'a client may change its mind',
  )
})

t.test('a length that is known before the first recording stays for it', async (t) => {
  const { call, addSession, upload, encoded, startWorker } = await recordingPlace(t)
  startWorker()
  const created = await addSession({ video_length: '01:00:00' })
  const changed = await addSession()
  await call('PUT', changed, { data: { name: 'First', video_length: '02:00:00' } })
  const during = await addSession()
  for (const session of [created, changed, during]) t.match(await upload(session, short), [201])
  t.match(await encoded(created), { video_length: '01:00:00' })
  t.match(await encoded(changed), { video_length: '02:00:00' })
  for (const session of [created, changed]) {
    await upload(session, long)
    t.match(await encoded(session), { video_length: '00:00:03' })
  }
})
