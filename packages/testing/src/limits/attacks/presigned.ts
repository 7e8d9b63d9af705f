import { createHash } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { type Attack, insist, range, sessionWithVideo, settled } from '../attack.ts'
import { parse, request, type Therapist } from '../client.ts'
import type { Stage } from '../place.ts'

const Presigned = Type.Object({ presigned_url: Type.String(), file_path: Type.String() })

/** The target of a presigned PUT: the gateway, or the store itself with the host that was signed. */
type Way = 'gateway' | 'store'

async function presigned(therapist: Therapist, session: string) {
  const answer = await therapist.send('GET', `${session}/video/presigned-url`)
  if (answer.status !== 200) throw new Error(`no presigned URL: ${answer.status} ${answer.body}`)
  return Value.Parse(Presigned, parse(answer))
}

/** Sends a PUT to a presigned URL; to the store itself with the Host header that was signed. Returns the status. */
async function put(
  stage: Stage,
  url: string,
  way: Way,
  headers: Record<string, string>,
  body: Uint8Array<ArrayBuffer> = new Uint8Array(),
) {
  if (way === 'gateway') return (await request(url, { method: 'PUT', headers, body })).status
  const { host, pathname, search } = new URL(url)
  const direct = new URL(pathname + search, stage.bucket.endpoint)
  return new Promise<number>((resolve) => {
    const sending = httpRequest(direct, { method: 'PUT', headers: { ...headers, host } }, (answer) => {
      answer.resume().once('end', () => resolve(answer.statusCode ?? 0))
    })
    sending.once('error', () => resolve(0))
    sending.end(body)
  })
}

const announce = (therapist: Therapist, session: string, path: string) =>
  therapist.sendJson('PUT', session, { data: { name: 'announced', origin_video_url: path } })

const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

/** Returns an attack that copies another therapist's recording by headers of a presigned PUT. */
const copying = (way: Way): Attack => ({
  name: `copy-source-${way}`,
  what: `presigned PUTs that copy another's recording, sent to the ${way}`,
  async prepare(stage) {
    const [victim, hostile] = [stage.therapist(), stage.therapist()]
    const clip = await stage.clips.get('small.mp4')
    const session = await sessionWithVideo(victim, clip)
    const played = await victim.send('GET', `${session}/video`)
    const sessionId = Number(session.split('/').at(-1))
    const [video] = await stage.sql<{ path: string }[]>`select path from videos where session_id = ${sessionId}`
    const source = `/${stage.bucket.bucket}/video/${video?.path}`
    const attempts: Record<string, string>[] = [
      { 'x-amz-copy-source': source },
      { 'x-amz-copy-source': source.slice(1), 'content-type': 'video/mp4' },
      { 'x-amz-copy-source': encodeURI(source), 'x-amz-metadata-directive': 'REPLACE', 'content-type': 'video/mp4' },
      { 'X-Amz-Copy-Source': source, 'x-amz-copy-source-range': 'bytes=0-100000', 'content-type': 'video/mp4' },
    ]
    return async () => {
      const seen: string[] = []
      for (const headers of attempts) {
        const own = await hostile.newSession()
        const { presigned_url, file_path } = await presigned(hostile, own)
        const status = await put(stage, presigned_url, way, headers)
        const announced = await announce(hostile, own, file_path)
        const { state } = await settled(hostile, own, announced.status === 200 ? 30 : 1)
        const stolen = await hostile.send('GET', `${own}/video`)
        const isTheirs = stolen.status === 200 && hashOf(stolen.body) === hashOf(played.body)
        seen.push(`PUT ${status}, announced ${announced.status}, ${state}${isTheirs ? ', PLAYED' : ''}`)
        insist(!isTheirs && state !== 'encoded', seen.join('; '))
      }
      return seen.join('; ')
    }
  },
})

/** Returns an attack that makes the object public, or gives it metadata that a plain PUT does not. */
const exposing = (way: Way): Attack => ({
  name: `acl-${way}`,
  what: `presigned PUTs with an ACL, tags, metadata or a redirect, sent to the ${way}`,
  async prepare(stage) {
    const hostile = stage.therapist()
    const clip = await stage.clips.get('small.mp4')
    const attempts: Record<string, string>[] = [
      { 'x-amz-acl': 'public-read' },
      { 'x-amz-acl': 'public-read-write' },
      { 'x-amz-grant-read': 'uri="http://acs.amazonaws.com/groups/global/AllUsers"' },
      { 'x-amz-grant-full-control': 'uri="http://acs.amazonaws.com/groups/global/AllUsers"' },
      { 'x-amz-tagging': 'a=b' },
      { 'x-amz-meta-attempt': '1' },
      { 'x-amz-website-redirect-location': 'https://example.com/' },
    ]
    return async () => {
      const seen: string[] = []
      const sessions = await Promise.all(range(attempts.length).map(() => hostile.newSession()))
      for (const [index, headers] of attempts.entries()) {
        const session = sessions[index] ?? ''
        const { presigned_url, file_path } = await presigned(hostile, session)
        const status = await put(stage, presigned_url, way, { ...headers, 'content-type': 'video/mp4' }, clip)
        const open = await request(new URL(new URL(presigned_url).pathname, stage.bucket.endpoint).href)
        const announced = await announce(hostile, session, file_path)
        seen.push(
          `${Object.keys(headers)[0]} PUT ${status}, read by anybody ${open.status}, announced ${announced.status}`,
        )
        insist(open.status !== 200, seen.join('; '))
        const isPlain = status !== 200 || way === 'gateway'
        insist(isPlain || announced.status !== 200, seen.join('; '))
      }
      return seen.join('; ')
    }
  },
})

/** Attacks that use a presigned URL for more than a plain PUT. */
export const presignedAttacks: Attack[] = [copying('store'), copying('gateway'), exposing('store'), exposing('gateway')]
