import type { Agent } from 'node:http'
import { get } from 'node:http'
import { createS3Store } from '@playtherapy/object-store'
import { fetchText, type Load, repeatedly } from '../load.ts'
import { alternate, ratio } from '../measure.ts'
import type { Place } from '../place.ts'
import type { Figure } from '../row.ts'
import { chooseReaders, type Reader } from './readers.ts'
import { reads, type Services } from './requests.ts'

/** The address of a database of each size. */
export interface Sizes {
  small: string
  big: string
}

const pressure = { clients: 2, seconds: 2 }
/** How much longer the slowest of a hundred reads may take in the big database. */
const target = { most: 1.5 }

type Act = (services: Services, reader: Reader, agent: Agent) => Promise<unknown>

/** Opens the event stream of a therapist, and closes it when it has begun. */
const openStream = (url: string, headers: Record<string, string>) =>
  new Promise<void>((resolve, reject) => {
    const request = get(`${url}/contents/api/events`, { headers, agent: false }, (response) => {
      response.once('data', () => {
        response.destroy()
        resolve()
      })
    })
    request.once('error', reject)
  })

async function startServices(place: Place, url: string): Promise<Services & { stop(): Promise<void> }> {
  const env = await place.settings(url)
  const start = (program: 'contents' | 'media' | 'script') => place.start({ program, env, ready: '/health/ready' })
  const [contents, media, script] = await Promise.all([start('contents'), start('media'), start('script')])
  return {
    contents: contents.url,
    media: media.url,
    script: script.url,
    async stop() {
      await Promise.all([contents.stop(), media.stop(), script.stop()])
    },
  }
}

/** Returns a load of these readers, one after the other. */
const loadOf = (services: Services, readers: Reader[]) => (act: Act) => (): Promise<Load> => {
  let turn = 0
  return repeatedly((agent) => {
    const reader = readers[turn++ % readers.length]
    if (!reader) throw new Error('there are no readers')
    return act(services, reader, agent)
  }, pressure)
}

/** Who reads: therapists with 50 cases on both databases, and the one with very many. */
export type Readers = Record<'small' | 'big' | 'busiest', Reader[]>

/** Chooses who reads what, and stores it. */
export async function chooseAllReaders(place: Place, { small, big }: Sizes): Promise<Readers> {
  const store = createS3Store(await place.bucket())
  try {
    return {
      small: await chooseReaders(small, store, 'ordinary'),
      big: await chooseReaders(big, store, 'ordinary'),
      busiest: await chooseReaders(big, store, 'busiest'),
    }
  } finally {
    store.close()
  }
}

/** Measures the p99 of each kind of read. */
export async function measureReads(place: Place, { small, big }: Sizes, readers: Readers): Promise<Figure[]> {
  const [inSmall, inBig] = [await startServices(place, small), await startServices(place, big)]
  const sides = {
    small: loadOf(inSmall, readers.small),
    big: loadOf(inBig, readers.big),
    busiest: loadOf(inBig, readers.busiest),
  }
  const acts: [name: string, act: Act][] = [
    ...Object.entries(reads).map(([name, read]): [string, Act] => [
      name,
      (services, reader, agent) => fetchText({ ...read(services, reader), headers: place.as(reader.userId) }, agent),
    ]),
    ['event stream opened', ({ contents }, { userId }) => openStream(contents, place.as(userId))],
  ]
  const figures: Figure[] = []
  for (const [name, act] of acts) {
    const loads = await alternate(
      { small: sides.small(act), big: sides.big(act), busiest: sides.busiest(act) },
      { rounds: 3 },
    ).catch((error: unknown) => {
      throw new Error(`${name} failed`, { cause: error })
    })
    const p99 = ({ p99Ms }: Load) => p99Ms
    figures.push(
      ratio({ name: `${name}: p99`, target }, [loads.big, loads.small], p99),
      ratio({ name: `${name}: p99 of who has 10,000 cases`, target }, [loads.busiest, loads.small], p99),
    )
  }
  await Promise.all([inSmall.stop(), inBig.stop()])
  return figures
}
