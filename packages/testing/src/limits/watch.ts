import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { insist, scriptOf, sessionWithScript, settled } from './attack.ts'
import type { Therapist } from './client.ts'
import type { Errand, Experience } from './innocent.ts'
import { linksOf } from './links.ts'
import type { Stage } from './place.ts'

/** The innocent therapist's sessions: one to read, one to upload to. */
export interface Home {
  therapist: Therapist
  session: string
  uploads: string
  /** The path by which she plays the recording; undefined for an older version, which has no links. */
  segments: string | undefined
}

/** Makes the innocent therapist with her sessions, a script and an encoded recording. */
export async function makeHome(stage: Stage): Promise<Home> {
  const therapist = stage.therapist()
  const session = await sessionWithScript(therapist, scriptOf(['오늘은 무엇을 하고 싶니?', '인형이요.']))
  const uploads = await therapist.newSession()
  await therapist.sendFile(`${session}/video`, 'file', await stage.clips.get('small.mp4'))
  const { state } = await settled(therapist, session, 60)
  insist(state === 'encoded', `the innocent therapist's recording is ${state}`)
  const links = await linksOf(therapist, session).catch(() => undefined)
  return { therapist, session, uploads, segments: links?.get('hls')?.replace('master.m3u8', 'upper.mp4') }
}

/** Starts the innocent therapist. Returns a function that stops her and returns her report. */
export async function watch(stage: Stage, { therapist, session, uploads, segments }: Home) {
  const { contents, media, script } = stage.processes
  const child = fork(fileURLToPath(new URL('./innocent.ts', import.meta.url)))
  const reported: Promise<[Experience]> = once(child, 'message').then(([seen]) => [seen])
  const exited = once(child, 'exit').then((): never => {
    throw new Error('the innocent therapist’s process ended')
  })
  exited.catch(() => {})
  const errand: Errand = {
    url: stage.url,
    services: { contents: contents.url, media: media.url, script: script.url },
    authorization: therapist.authorization,
    session,
    uploads,
    segments,
    clip: Buffer.from(await stage.clips.get('small.mp4')).toString('base64'),
  }
  child.send(errand)
  return async (): Promise<Experience> => {
    if (child.connected) child.send('stop')
    const [seen] = await Promise.race([reported, exited])
    return seen
  }
}
