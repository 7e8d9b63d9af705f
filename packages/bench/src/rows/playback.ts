import { showRecordings } from '../gateway.ts'
import { alternate, ratio } from '../measure.ts'
import { madeUpRecording, mebibyte } from '../recordings.ts'
import type { Row } from '../row.ts'
import { addRendition } from '../seed.ts'
import { readInTurn, type Seeks, type Source, seekAround } from '../viewers.ts'

/** The size of each recording. */
const recordingBytes = 128 * mebibyte
/** A viewer reads this much after each seek. */
const seekBytes = mebibyte
const long = { start: 32 * mebibyte, length: 64 * mebibyte }

const anyRange = () => ({ start: Math.floor(Math.random() * (recordingBytes - seekBytes)), length: seekBytes })

/** Playback by our process and by the gateway's nginx, beside presigned reads straight from the store. */
export const playback: Row = {
  name: 'playback',
  async measure(place) {
    const { sources, stop } = await showRecordings(place, await madeUpRecording(place.directory, recordingBytes), {
      database: 'playback',
      add: addRendition,
      sourceOf: async (url, { path, headers }) => ({ url: `${url}${path}/video`, headers }),
    })
    const each = <Sample>(act: (sources: Source[]) => Promise<Sample>) =>
      alternate({
        ours: () => act(sources.ours),
        nginx: () => act(sources.nginx),
        store: () => act(sources.store),
      })
    const longs = await each(([source]) => readInTurn(source, [long, long, long, long]))
    const seeks = await each((sources) => seekAround(sources, anyRange))
    await stop()
    const speed = (seconds: number) => 1 / seconds
    const throughput = ({ bytesPerSecond }: Seeks) => bytesPerSecond
    const p99 = (sample: Seeks) => sample.p99
    const [range, seeking] = ['playback of a 64 MiB range', 'playback by 200 viewers seeking']
    const through = 'through nginx'
    return [
      ratio({ name: `${range}: throughput`, target: { least: 0.55 } }, [longs.ours, longs.store], speed),
      ratio({ name: `${range}, ${through}: throughput`, target: { least: 0.85 } }, [longs.nginx, longs.store], speed),
      ratio({ name: `${seeking}: throughput`, target: { least: 0.45 } }, [seeks.ours, seeks.store], throughput),
      ratio({ name: `${seeking}: p99`, target: { most: 2 } }, [seeks.ours, seeks.store], p99),
      ratio(
        { name: `${seeking}, ${through}: throughput`, target: { least: 0.85 } },
        [seeks.nginx, seeks.store],
        throughput,
      ),
      ratio({ name: `${seeking}, ${through}: p99`, target: { most: 2 } }, [seeks.nginx, seeks.store], p99),
    ]
  },
}
