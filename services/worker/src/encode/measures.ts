import type { Meter } from '@playtherapy/service-kit'

/** The kinds of chunks, as in packages/schema/src/encode-tables.ts. */
const kinds = ['sound', 'copy', 'picture', 'lower'] as const

/** What is measured of encodes. */
export type EncodeMeasures = ReturnType<typeof createEncodeMeasures>

/** Creates the metrics of encodes. */
export function createEncodeMeasures(meter: Meter) {
  return {
    /** Takes the seconds from the 201 of an upload to the commit after which its recording can be played. */
    playable: meter.histogram(
      {
        name: 'recording_time_to_playable_seconds',
        help: 'Time from the moment when a recording was durable (201) until it could be played',
        labels: {},
      },
      [5, 10, 15, 20, 30, 45, 60, 90, 120, 300, 900, 3600, 21_600],
    ),
    /** Takes the seconds of one chunk's encode. */
    chunk: meter.histogram(
      {
        name: 'chunk_encode_duration_seconds',
        help: 'Time of the encode of one chunk, from its claim to its commit',
        labels: { kind: kinds },
      },
      [0.5, 1, 2, 5, 10, 20, 40, 80, 160, 320, 900, 3600],
    ),
    /** Counts the seconds of a recording that were encoded. */
    seconds: meter.counter({
      name: 'encoded_recording_seconds_total',
      help: 'Seconds of recordings whose chunks were encoded; divided by the time of the encodes, their speed against real time',
      labels: { kind: kinds },
    }),
  }
}
