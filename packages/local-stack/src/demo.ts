import { type Api, createClient } from '@playtherapy/client'
import { clipSeconds, makeClip } from './clip.ts'
import { encoded, linksOf, type SessionIds, upload } from './demo-client.ts'
import type { Programs } from './ffmpeg.ts'
import type { StackOptions } from './options.ts'
import { probePlayback } from './probe.ts'
import type { Stack } from './stack.ts'
import { bold, dim, done, say } from './terminal.ts'

/** The state of what is finished, in the contract. */
const finished = 3
/** In the description of the demo's case, and the name of its session, by which a later start finds them. */
const [note, sessionName] = ['Made by npm start', 'First meeting']
/** Lines of captions that are printed at most: somebody may have written a longer script meanwhile. */
const captionLines = 7

const script = {
  scripts: [
    { start_time: '00:00:00', end_time: '00:00:03', speaker: 'T', text: 'What will you build? A tall tower?' },
    { start_time: '00:00:03', end_time: '00:00:06', speaker: 'C', text: '봐요, 제일 높아요!' },
  ],
}

export interface Demo {
  /** Its path. */
  session: string
  /** It plays the recording in a browser; undefined before that is encoded. */
  link: string | undefined
}

const pathOf = ({ case_id, session_id }: SessionIds) => `/contents/api/case/${case_id}/session/${session_id}`

/** Returns the demo's session: that of an earlier start, or a new one of a new case. */
async function findSession({ cases, sessions }: Api): Promise<SessionIds> {
  const [known] = await cases.list({ keyword: note })
  const session = known && (await sessions.list({ case_id: known.id, keyword: sessionName })).at(-1)
  if (known && session) {
    const ids = { case_id: known.id, session_id: session.id }
    done('case and session of an earlier start', pathOf(ids))
    return ids
  }
  const description = { age: 7, gender: 'F', note }
  const { id: case_id } =
    known ?? (await cases.create({ body: { given_name: '지우', family_name: '김', description } }))
  const { id: session_id } = await sessions.create({ case_id, body: { data: { name: sessionName } } })
  done('case and session created', pathOf({ case_id, session_id }))
  return { case_id, session_id }
}

/**
 * Does the main job with a real clip, over HTTP as the client does: case, session, upload, encode, playback, script,
 * captions, interaction summary. What an earlier start has finished is only read again, unless this one runs once, to
 * prove all of it. Throws at the first step that fails. Without workers the encode is left out.
 */
export async function runDemo(stack: Stack, programs: Programs, { once, workers }: StackOptions): Promise<Demo> {
  const token = stack.mintDemoToken(1)
  const client = createClient({ url: stack.url, token })
  say(`\n${bold('The main job, on a real clip')}`)
  const session = await findSession(client)
  const before = await client.sessions.get(session)

  if (once || before.encoding_state_id !== finished) {
    const clip = await makeClip(stack.demoDirectory, programs)
    const { bytes, at } = await upload(client, session, clip)
    const megabytes = (count: number) => `${(count / 1e6).toFixed(1)} MB`
    done('upload cut in the middle', `went on at ${megabytes(at)} of ${megabytes(bytes)}`)
    done('original stored', `${megabytes(bytes)}, 1080p, held upright`)
    if (workers > 0) {
      const { playable, finished } = await encoded(client, session)
      const took = `playable after ${playable.toFixed(1)} s, finished after ${finished.toFixed(1)} s`
      const seen = await playBack(stack.url, client, session, { token, programs, took })
      const right = seen.upright && seen.audio === 'aac' && Math.abs(seen.seconds - clipSeconds) < 0.5
      if (!right) throw new Error(`the encoded video is not that of the clip: ${JSON.stringify(seen)}`)
    } else {
      say(`  ${dim('no workers here: the encode waits until one comes')}`)
    }
  } else {
    await playBack(stack.url, client, session, { token, programs, took: 'encoded before' })
  }

  if (once || before.script_state_id !== finished) await saveScript(client, session)
  await readScript(client, session)

  const read = await client.sessions.get(session)
  const list = await client.cases.list({ skip: 0, keyword: '' })
  const lists = `${list.length} ${list.length === 1 ? 'case' : 'cases'}`
  done(
    'everything read again',
    `${lists}; encoding ${read.encoding_state_id}, script ${read.script_state_id} (3 is done)`,
  )
  return { session: pathOf(session), link: await openLinks(stack.url, client, session) }
}

/** Opens the links of a recording without a token, as a browser does. Returns that of the MP4. */
async function openLinks(url: string, client: Api, session: SessionIds): Promise<string | undefined> {
  const links = await linksOf(client, session)
  for (const path of links.values()) {
    const response = await fetch(url + path)
    if (!response.ok) throw new Error(`a link answered ${response.status}`)
    await response.body?.cancel()
  }
  if (links.size > 0) done('links that need no token', [...links.keys()].join(', '))
  const mp4 = links.get('mp4')
  return mp4 && url + mp4
}

interface Playing {
  token: string
  programs: Programs
  /** What is printed about the encode. */
  took: string
}

/** Plays the video as a therapist gets it, whole and in part. Returns what is in it. */
async function playBack(url: string, { videos }: Api, session: SessionIds, { token, programs, took }: Playing) {
  // A statically linked ffprobe cannot resolve names, not even `localhost`.
  const seen = await probePlayback(`${url.replace('localhost', '127.0.0.1')}${pathOf(session)}/video`, token, programs)
  const { video, audio, width, height, seconds } = seen
  if (video !== 'h264' || (audio ?? 'aac') !== 'aac') throw new Error(`the video is ${video}/${audio}`)
  done('encoded and playing', `${width}×${height} H.264/AAC, ${seconds.toFixed(1)} s, ${took}`)
  const part = await videos.get({ ...session, range: 'bytes=0-1023' })
  const got = (await part.arrayBuffer()).byteLength
  if (part.status !== 206 || got !== 1024) throw new Error(`a range answered ${part.status} with ${got} bytes`)
  done('a range played back', part.headers.get('content-range') ?? '')
  return seen
}

async function saveScript({ scripts }: Api, session: SessionIds): Promise<void> {
  const text = JSON.stringify(script)
  const file = new File([text], 'script.json', { type: 'application/json' })
  await scripts.save({ ...session, body: { script: file } })
  const { data } = await scripts.get(session)
  if (JSON.stringify(data) !== text) throw new Error('the script did not come back as it was sent')
  done('script saved and read back', `${script.scripts.length} records`)
}

/** Prints the captions and the interaction summary of the newest script. */
async function readScript({ scripts }: Api, session: SessionIds): Promise<void> {
  const captions = (await (await scripts.exportVtt(session)).text()).trim()
  if (!captions.startsWith('WEBVTT')) throw new Error(`no captions: ${captions}`)
  done('captions for the video', `${pathOf(session)}/script.vtt`)
  for (const line of captions.split('\n').slice(0, captionLines)) say(dim(`      ${line}`))

  const summary = await scripts.summarize(session)
  done('interaction summary', `${summary.utterances} utterances, ${summary.words} words, ${summary.turns} turns`)
  for (const { role, words, word_share, questions, mean_length } of summary.speakers) {
    const share = `${Math.round((word_share ?? 0) * 100)} % of all words`
    say(dim(`      ${role.padEnd(9)}  ${words} words, ${share}, ${mean_length} an utterance, ${questions} questions`))
  }
}
