import type { Segments } from '@playtherapy/schema'
import { showRecordings } from '../gateway.ts'
import { linksRequest, playlistOf } from '../links.ts'
import { alternate, ratio } from '../measure.ts'
import { madeUpRecording, mebibyte } from '../recordings.ts'
import type { Row } from '../row.ts'
import { addUpperRung } from '../seed.ts'
import { readInTurn, type Seeks, type Source, seekAround } from '../viewers.ts'

/** A segment of 4 s at some 4 Mbit/s. */
const segmentBytes = 2 * mebibyte
const count = 64
const segments: Segments = Array.from({ length: count }, () => [4, segmentBytes])
const ranges = segments.map((_, n) => ({ start: n * segmentBytes, length: segmentBytes }))

const anySegment = () => ({ start: Math.floor(Math.random() * count) * segmentBytes, length: segmentBytes })

/** Segments of HLS by a signed link, from our process and from the gateway's nginx, beside presigned reads of the same bytes. */
export const hlsSegments: Row = {
  name: 'hls-segments',
  async measure(place) {
    const file = await madeUpRecording(place.directory, count * segmentBytes)
    const { sources, stop } = await showRecordings(place, file, {
      database: 'segments',
      add: (databaseUrl, session, put) => addUpperRung(databaseUrl, session, segments, put),
      async sourceOf(url, session) {
        const playlist = await playlistOf(url, linksRequest(url, session))
        if (!playlist) throw new Error('the recording has no playlist')
        return { url: new URL('upper.mp4', playlist).href, headers: {} }
      },
    })
    const each = <Sample>(act: (sources: Source[]) => Promise<Sample>) =>
      alternate({
        ours: () => act(sources.ours),
        nginx: () => act(sources.nginx),
        store: () => act(sources.store),
      })
    const one = await each(([source]) => readInTurn(source, ranges))
    const many = await each((sources) => seekAround(sources, anySegment))
    await stop()
    const speed = (seconds: number) => 1 / seconds
    const throughput = ({ bytesPerSecond }: Seeks) => bytesPerSecond
    const p99 = (sample: Seeks) => sample.p99
    const [inTurn, at200] = ['HLS segment after segment', 'HLS segments to 200 viewers']
    const through = 'through nginx'
    return [
      ratio({ name: `${inTurn}: throughput`, target: { least: 0.55 } }, [one.ours, one.store], speed),
      ratio({ name: `${inTurn}, ${through}: throughput`, target: { least: 0.85 } }, [one.nginx, one.store], speed),
      ratio({ name: `${at200}: throughput`, target: { least: 0.45 } }, [many.ours, many.store], throughput),
      ratio({ name: `${at200}: p99`, target: { most: 2 } }, [many.ours, many.store], p99),
      ratio(
        { name: `${at200}, ${through}: throughput`, target: { least: 0.85 } },
        [many.nginx, many.store],
        throughput,
      ),
      ratio({ name: `${at200}, ${through}: p99`, target: { most: 2 } }, [many.nginx, many.store], p99),
    ]
  },
}
