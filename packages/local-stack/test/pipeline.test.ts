import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { contentsApp } from '@playtherapy/contents/app'
import { mediaApp } from '@playtherapy/media/app'
import { createFileStore } from '@playtherapy/object-store'
import { reportVersions, scriptVersions, sessions } from '@playtherapy/schema'
import { scriptApp } from '@playtherapy/script/app'
import {
  disagreements,
  forkWorker,
  queueBackends,
  seedSession,
  testDatabase,
  testHost,
  testQueue,
  until,
} from '@playtherapy/testing'
import { startProvider } from '@playtherapy/testing/provider'
import t from 'tap'

const folder = await mkdtemp(join(tmpdir(), 'playtherapy-pipeline-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))

async function recording(name: string, ...sound: string[]): Promise<Buffer> {
  const file = join(folder, name)
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25:duration=2']
  const codecs = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p']
  await promisify(execFile)('ffmpeg', ['-y', '-loglevel', 'error', ...picture, ...sound, ...codecs, file])
  return readFile(file)
}
const talk = await recording('talk.mp4', '-f', 'lavfi', '-i', 'sine=duration=2', '-c:a', 'aac')
const silent = await recording('silent.mp4')

const segments = [{ start: 0, end: 1.5, text: '무서워요.' }]
const entry = { category: 'Emotion Reflection', descriptions: '좋다', level: 3, interactions: [] }

for (const backend of queueBackends)
  t.test(`from the upload to the report without a hand, on ${backend}`, async (t) => {
    const database = await testDatabase(t)
    const { db, sql, urls, as } = database
    const directory = await mkdtemp(join(folder, 'objects-'))
    const store = createFileStore({ directory })
    const host = await testHost(t, mediaApp({ db: as('media'), store, phase: 'LOCAL', uploadLimit: 20_000_000 }))
    const { transcriber, asked } = await startProvider(t, (response, { url }) => {
      const content = JSON.stringify({ reports: [entry] })
      const answers: Record<string, object> = {
        '/v1/audio/transcriptions': { segments },
        '/v1/chat/completions': { choices: [{ message: { content } }] },
      }
      response.end(JSON.stringify(answers[url ?? '']))
    })
    const queue = testQueue(t, backend, urls.worker)
    forkWorker(t, {
      DATABASE_URL: urls.worker,
      QUEUE_URL: queue.url,
      QUEUE_PREFIX: queue.prefix,
      FILE_STORE_DIRECTORY: directory,
      SCRATCH_DIRECTORY: join(folder, 'scratch'),
      TRANSCRIBER_URL: transcriber.url,
      TRANSCRIBER_MODEL: 'ears',
      ANALYSER_URL: transcriber.url,
      ANALYSER_MODEL: 'judge',
    })

    const upload = async (bytes: Buffer) => {
      const { caseId, sessionId } = await seedSession(db, 7)
      const path = `/contents/api/case/${caseId}/session/${sessionId}/video`
      const body = new FormData()
      body.set('file', new Blob([bytes]), 'recording.mp4')
      t.match(await fetch(host.url + path, { method: 'POST', headers: host.as(7), body }), { status: 201 })
      return sessionId
    }
    const [talked, mute] = [await upload(talk), await upload(silent)]
    const rows = await until(
      'the report',
      () => db.select().from(sessions),
      (all) =>
        all.some(({ id, analyzeStateId }) => id === talked && analyzeStateId >= 3 && analyzeStateId < 5) &&
        all.some(({ id, encodingStateId }) => id === mute && encodingStateId >= 3),
    )
    const states = { encodingStateId: 3, scriptStateId: 3, analyzeStateId: 3 }
    t.match(
      rows.find(({ id }) => id === talked),
      states,
    )
    t.match(
      rows.find(({ id }) => id === mute),
      { encodingStateId: 3, scriptStateId: 5, analyzeStateId: 5 },
      'no sound',
    )
    t.equal(asked.length, 2)
    t.match(asked[1], '무서워요')
    const [script] = await db.select().from(scriptVersions)
    t.match(await db.select().from(reportVersions), [{ scriptVersionId: script?.id, levels: [[entry.category, 3]] }])
    t.strictSame(JSON.parse(await text(await store.get(`script/${script?.path}`))), {
      scripts: [{ start_time: '00:00:00.000', end_time: '00:00:01.500', speaker: '', text: '무서워요.' }],
    })
    // The end of the last job is recorded after its report.
    const settled = await until(
      'the end of every job',
      () => disagreements(sql, store),
      ({ stuck }) => stuck.length === 0,
    )
    t.strictSame(settled, { lost: [], orphaned: [], stuck: [] })
  })

t.test(
  'with STARTER_SCRIPT and no transcriber a recording is shown beside an empty script, which a save follows',
  async (t) => {
    const database = await testDatabase(t)
    const { db, urls, as } = database
    const directory = await mkdtemp(join(folder, 'objects-'))
    const resources = { store: createFileStore({ directory }), phase: 'LOCAL', uploadLimit: 20_000_000 } as const
    const host = await testHost(t, async (root) => {
      await root.register(contentsApp({ ...resources, db: as('contents'), timeZone: 'Asia/Seoul' }))
      await root.register(mediaApp({ ...resources, db: as('media') }))
      await root.register(scriptApp({ ...resources, db: as('script') }))
    })
    forkWorker(t, {
      DATABASE_URL: urls.worker,
      QUEUE_URL: urls.worker,
      FILE_STORE_DIRECTORY: directory,
      SCRATCH_DIRECTORY: join(folder, 'scratch'),
      STARTER_SCRIPT: 'true',
    })
    const headers = host.as(7)
    const paths = []
    for (const bytes of [talk, silent]) {
      const { caseId, sessionId } = await seedSession(db, 7)
      const path = `${host.url}/contents/api/case/${caseId}/session/${sessionId}`
      const body = new FormData()
      body.set('file', new Blob([bytes]), 'recording.mp4')
      t.match(await fetch(`${path}/video`, { method: 'POST', headers, body }), { status: 201 })
      paths.push(path)
    }
    for (const path of paths) {
      const session = await until(
        'the script',
        async () => Object(await (await fetch(path, { headers })).json()),
        ({ script_state_id }) => script_state_id === 3,
      )
      t.match(session, { encoding_state_id: 3, script_state_id: 3, analyze_state_id: 5 })
      t.equal(await (await fetch(`${path}/script`, { headers })).text(), '{"scripts":[]}')
      const body = new FormData()
      body.set('script', new Blob(['{"scripts":[{"speaker":"T","text":"안녕"}]}']), 'script.json')
      const saved = await fetch(`${path}/script`, {
        method: 'POST',
        headers: { ...headers, 'if-none-match': '*' },
        body,
      })
      t.equal(saved.status, 200)
      const versions = await (await fetch(`${path}/script/versions`, { headers })).json()
      t.match(versions, [
        { version: 2, made_by: 'therapist' },
        { version: 1, made_by: 'starter' },
      ])
    }
  },
)
