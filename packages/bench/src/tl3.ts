import { linksRequest } from './links.ts'
import { press } from './load.ts'
import { openPlace } from './place.ts'
import { addRendition, addSessions, therapist } from './seed.ts'
import { buildPrograms, nodeOptions } from '@playtherapy/programs'
import { readFileSync } from 'node:fs'
await buildPrograms()
const place = await openPlace()
const databaseUrl = await place.database('links')
if (process.argv[2] === 'prof') (nodeOptions as string[]).push('--cpu-prof', '--cpu-prof-dir=/tmp/tl/prof')
const media = await place.start({ program: 'media', env: await place.settings(databaseUrl), ready: '/health/ready' })

const bare = await place.start({ program: { peer: 'bare-links.ts' }, env: { JWT_SECRET: place.jwtSecret }, ready: '/ready' })
const [session] = await addSessions(databaseUrl, 1)
await addRendition(databaseUrl, session!, async () => ({ size: 1, etag: '"o"' }))
const signed = { ...session!, headers: place.as(therapist) }
const cpu = (pid: number) => { const f = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' '); return (Number(f[11]) + Number(f[12])) * 10 }
for (let i = 0; i < 3; i++) for (const [n, s] of [['ours', media], ['bare', bare]] as const) {
  const c = cpu(s.pid)
  const l = await press(() => linksRequest(s.url, signed), { clients: 16, seconds: 3 })
  console.log(n, l.p50Ms.toFixed(2), l.perSecond.toFixed(0), 'cpu us/request', ((cpu(s.pid) - c) * 1000 / (l.perSecond * 3)).toFixed(0))
}
for (const [n, s] of [['ours', media], ['bare', bare]] as const) {
  const l = await press(() => linksRequest(s.url, signed), { clients: 1, seconds: 3 })
  console.log('one client', n, l.p50Ms.toFixed(2))
}
await media.stop(); await bare.stop(); await place.stop(); process.exit(0)
