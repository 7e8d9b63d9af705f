import type { Part, Segments } from '@playtherapy/schema'
import t from 'tap'
import { captionsPlaylist, mainPlaylist, rungPlaylist } from '../src/hls/playlists.ts'

const part = (start: number, headerBytes: number, segments: Segments): Part => ({ start, headerBytes, segments })
const rung = (parts: Part[], isComplete = true) => ({
  codec: 'avc1.64001f',
  width: 1920,
  height: 1080,
  parts,
  isComplete,
})
const sound = { codec: 'mp4a.40.2', width: 0, height: 0, parts: [part(0, 9, [[4, 50_000]])], isComplete: true }

t.test('a rung is byte ranges of one file, with a header wherever it changes', async (t) => {
  const parts = [
    part(0, 100, [
      [4, 1000],
      [2.5, 500],
    ]),
    part(1600, 0, [[4, 700]]),
    part(2300, 90, [[1.001, 80]]),
  ]
  const list = { rung: 'lower' as const, targetSeconds: 5, parts, until: Number.POSITIVE_INFINITY }
  t.equal(
    rungPlaylist({ ...list, progress: 'final' }),
    `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:5
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-START:TIME-OFFSET=0
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI="lower.mp4",BYTERANGE="100@0"
#EXTINF:4.000000,
#EXT-X-BYTERANGE:1000@100
lower.mp4
#EXTINF:2.500000,
#EXT-X-BYTERANGE:500@1100
lower.mp4
#EXTINF:4.000000,
#EXT-X-BYTERANGE:700@1600
lower.mp4
#EXT-X-MAP:URI="lower.mp4",BYTERANGE="90@2300"
#EXTINF:1.001000,
#EXT-X-BYTERANGE:80@2390
lower.mp4
#EXT-X-ENDLIST
`,
  )
  const growing = rungPlaylist({ ...list, progress: 'growing', until: 6.5 })
  t.match(growing, /#EXT-X-PLAYLIST-TYPE:EVENT/)
  t.notMatch(growing, 'ENDLIST')
  t.equal(growing.match(/#EXTINF/g)?.length, 2, 'what begins later is not listed')
})

t.test('the bandwidth of a complete rung is its peak, and of a growing one what the encoder keeps', async (t) => {
  const bandwidths = (text: string) =>
    [...text.matchAll(/:BANDWIDTH=(\d+),AVERAGE-BANDWIDTH=(\d+)/g)].map(([, peak, average]) => [
      Number(peak),
      Number(average),
    ])
  // The last segment is too short to count alone, but not with the one before.
  const segments: Segments = [
    [4, 1_000_000],
    [4, 2_000_000],
    [4, 500_000],
    [0.5, 1_900_000],
  ]
  const main = { targetSeconds: 4, hasCaptions: false, lower: undefined, sound: undefined }
  const of = (isComplete: boolean, parts = [part(0, 9, segments)]) =>
    bandwidths(mainPlaylist({ ...main, upper: rung(parts, isComplete) }))
  t.same(of(true), [[Math.ceil((2_400_000 * 8) / 4.5), Math.ceil((5_400_000 * 8) / 12.5)]])
  t.same(of(false), [[6_000_000, Math.ceil((5_400_000 * 8) / 12.5)]])
  t.same(of(false, [part(0, 9, [[4, 4_000_000]])]), [[8_000_000, 8_000_000]], 'a higher one is measured')
  const both = mainPlaylist({
    ...main,
    upper: rung([part(0, 9, segments)]),
    lower: rung([part(0, 9, [[4, 300_000]])]),
    sound,
  })
  t.same(bandwidths(both)[0], [600_000 + 100_000, 600_000 + 100_000], 'with the sound')
})

t.test('captions are one segment as long as the recording, also while that grows', async (t) => {
  t.match(
    captionsPlaylist({ seconds: 61.2, progress: 'growing' }),
    /TYPE:EVENT\n[\s\S]*#EXTINF:61.200000,\ncaptions.vtt\n#EXT-X-ENDLIST\n$/,
  )
  t.match(
    captionsPlaylist({ seconds: 61.2, progress: 'final' }),
    /TARGETDURATION:62\n[\s\S]*#EXTINF:61.200000,\ncaptions.vtt\n#EXT-X-ENDLIST\n$/,
  )
})
