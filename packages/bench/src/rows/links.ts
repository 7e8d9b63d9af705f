import { linksRequest } from '../links.ts'
import { press } from '../load.ts'
import { alternate, ratio } from '../measure.ts'
import type { Row } from '../row.ts'
import { addRendition, addSessions, therapist } from '../seed.ts'

const load = { clients: 16, seconds: 2 }

/** Signed links of an encoded recording, beside a bare service that checks the same token and signs the same links. */
export const links: Row = {
  name: 'links',
  async measure(place) {
    const databaseUrl = await place.database('links')
    const media = await place.start({
      program: 'media',
      env: await place.settings(databaseUrl),
      ready: '/health/ready',
    })
    const env = { JWT_SECRET: place.jwtSecret }
    const bare = await place.start({ program: { peer: 'bare-links.ts' }, env, ready: '/ready' })
    const [session] = await addSessions(databaseUrl, 1)
    if (!session) throw new Error('no session')
    // Its object is never read.
    await addRendition(databaseUrl, session, async () => ({ size: 1, etag: '"o"' }))
    const signed = { ...session, headers: place.as(therapist) }
    const loads = await alternate({
      ours: () => press(() => linksRequest(media.url, signed), load),
      bare: () => press(() => linksRequest(bare.url, signed), load),
    })
    await Promise.all([media.stop(), bare.stop()])
    return [
      ratio(
        { name: 'signed links: p50 against a bare signed answer', target: { most: 1.3 } },
        [loads.ours, loads.bare],
        ({ p50Ms }) => p50Ms,
      ),
    ]
  },
}
