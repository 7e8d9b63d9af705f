import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { clipSeconds, makeClip } from './clip.ts'
import type { Programs } from './ffmpeg.ts'
import { probePlayback } from './probe.ts'
import type { Stack } from './stack.ts'
import { bold, dim, done, progressBar, say } from './terminal.ts'

const Created = Type.Object({ id: Type.Integer() })
const Session = Type.Object({ encoding_state_id: Type.Integer(), script_state_id: Type.Integer() })
const VideoState = Type.Object({
  state: Type.String(),
  progress: Type.Integer(),
  failure: Type.Union([Type.String(), Type.Null()]),
})

const Summary = Type.Object({
  utterances: Type.Integer(),
  words: Type.Integer(),
  turns: Type.Integer(),
  speakers: Type.Array(
    Type.Object({
      role: Type.String(),
      words: Type.Integer(),
      word_share: Type.Union([Type.Number(), Type.Null()]),
      mean_length: Type.Number(),
      questions: Type.Integer(),
    }),
  ),
})

/** How long the encode of the clip may take. */
const encodeMs = 180_000

const script = {
  scripts: [
    { start_time: '00:00:00', end_time: '00:00:03', speaker: 'T', text: 'What will you build? A tall tower?' },
    { start_time: '00:00:03', end_time: '00:00:06', speaker: 'C', text: '봐요, 제일 높아요!' },
  ],
}

/**
 * Does the main job with a real clip, over HTTP as the client does: case, session, upload, encode, playback, script,
 * captions, interaction summary. Throws at the first step that fails. Without workers the encode is left out.
 */
export async function runDemo(stack: Stack, programs: Programs, clipDirectory: string, workers: number): Promise<void> {
  const token = stack.mintToken(1)
  const call = async (method: string, path: string, init: RequestInit = {}) => {
    const headers = { authorization: `Bearer ${token}`, ...init.headers }
    const response = await fetch(`${stack.url}${path}`, { ...init, method, headers })
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`)
    return response
  }
  const json = { 'content-type': 'application/json' }
  const create = async (path: string, body: unknown) => {
    const response = await call('POST', path, { headers: json, body: JSON.stringify(body) })
    return Value.Parse(Created, await response.json()).id
  }

  say(`\n${bold('The main job, on a real clip')}`)
  const clip = await makeClip(clipDirectory, programs)
  const bytes = (await stat(clip)).size
  const caseId = await create('/contents/api/case', {
    given_name: '지우',
    family_name: '김',
    description: { age: 7, gender: 'F' },
  })
  const session = `/contents/api/case/${caseId}/session/${await create(`/contents/api/case/${caseId}/session`, { data: { name: 'First meeting' } })}`
  done('case and session created', session)

  await upload(call, `${session}/video`, clip, bytes)
  done('original stored', `${(bytes / 1e6).toFixed(1)} MB, 1080p, held upright`)

  if (workers > 0) {
    const started = performance.now()
    await encoded(call, session)
    const took = ((performance.now() - started) / 1000).toFixed(1)
    // A statically linked ffprobe cannot resolve names, not even `localhost`.
    const video = `${stack.url.replace('localhost', '127.0.0.1')}${session}/video`
    const seen = await probePlayback(video, token, programs)
    const right = Math.abs(seen.seconds - clipSeconds) < 0.5
    if (seen.video !== 'h264' || seen.audio !== 'aac' || !seen.upright || !right) {
      throw new Error(`the encoded video is not what it should be: ${JSON.stringify(seen)}`)
    }
    done('encoded and playing', `${seen.width}×${seen.height} H.264/AAC, ${seen.seconds.toFixed(1)} s, in ${took} s`)
    const part = await call('GET', `${session}/video`, { headers: { range: 'bytes=0-1023' } })
    const got = (await part.arrayBuffer()).byteLength
    if (part.status !== 206 || got !== 1024) throw new Error(`a range answered ${part.status} with ${got} bytes`)
    done('a range played back', part.headers.get('content-range') ?? '')
  } else {
    say(`  ${dim('no workers here: the encode waits until one comes')}`)
  }

  const form = new FormData()
  const text = JSON.stringify(script)
  form.set('script', new Blob([text], { type: 'application/json' }), 'script.json')
  await call('POST', `${session}/script`, { body: form })
  const back = await (await call('GET', `${session}/script`)).text()
  if (back !== text) throw new Error('the script did not come back as it was sent')
  done('script saved and read back', `${script.scripts.length} records`)

  const captions = await (await call('GET', `${session}/script.vtt`)).text()
  const [header, ...cues] = captions.trim().split('\n\n')
  if (header !== 'WEBVTT' || cues.length !== script.scripts.length) throw new Error(`no captions: ${captions}`)
  done('captions for the video', `${session}/script.vtt`)
  for (const line of captions.trim().split('\n')) say(dim(`      ${line}`))

  const summary = Value.Parse(Summary, await (await call('GET', `${session}/script/summary`)).json())
  done('interaction summary', `${summary.utterances} utterances, ${summary.words} words, ${summary.turns} turns`)
  for (const { role, words, word_share, questions, mean_length } of summary.speakers) {
    const share = `${Math.round((word_share ?? 0) * 100)} % of all words`
    say(dim(`      ${role.padEnd(9)}  ${words} words, ${share}, ${mean_length} an utterance, ${questions} questions`))
  }

  const read = Value.Parse(Session, await (await call('GET', session)).json())
  const list = Value.Parse(Type.Array(Created), await (await call('GET', '/contents/api/case?skip=0&keyword=')).json())
  const lists = `${list.length} ${list.length === 1 ? 'case' : 'cases'}`
  done(
    'everything read again',
    `${lists}; encoding ${read.encoding_state_id}, script ${read.script_state_id} (3 is done)`,
  )
  say(`
${bold('Yours to try')}
  API page   ${stack.url}/documentation
  video      ${stack.url}${session}/video
  script     ${stack.url}${session}/script
  token      ${token}

  curl -H 'Authorization: Bearer ${token}' ${stack.url}${session}`)
}

type Call = (method: string, path: string, init?: RequestInit) => Promise<Response>

/** Sends the clip as the form of a browser does, and shows its progress. */
async function upload(call: Call, path: string, clip: string, bytes: number): Promise<void> {
  const boundary = 'playtherapy-demo-clip'
  const bar = progressBar('upload')
  async function* body() {
    yield Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="clip.mp4"\r\ncontent-type: video/mp4\r\n\r\n`,
    )
    let sent = 0
    for await (const chunk of createReadStream(clip)) {
      yield chunk
      sent += chunk.length
      bar.show((sent / bytes) * 100)
    }
    yield Buffer.from(`\r\n--${boundary}--\r\n`)
  }
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` }
  const answer = await call('POST', path, { headers, body: ReadableStream.from(body()), duplex: 'half' })
  bar.end()
  if (answer.status !== 201) throw new Error(`the upload answered ${answer.status}`)
}

/** Waits until the encode has ended, and shows its progress. */
async function encoded(call: Call, session: string): Promise<void> {
  const bar = progressBar('encode')
  const deadline = Date.now() + encodeMs
  try {
    while (Date.now() < deadline) {
      const { state, progress, failure } = Value.Parse(
        VideoState,
        await (await call('GET', `${session}/video/state`)).json(),
      )
      if (state === 'failed') throw new Error(`the encode failed: ${failure}`)
      bar.show(progress)
      if (state === 'encoded') return
      await sleep(200)
    }
    throw new Error('the encode did not end in time')
  } finally {
    bar.end()
  }
}
