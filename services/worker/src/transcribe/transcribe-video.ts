import { hash } from 'node:crypto'
import type { JobContext } from '@playtherapy/jobs'
import { inFolder, type ObjectStore, type Phase } from '@playtherapy/object-store'
import { captionTime, type Database } from '@playtherapy/schema'
import { saveVersion, scriptSteps, type VersionSteps } from '@playtherapy/versions'
import { pieceSound } from '../encode/sound.ts'
import { runFfmpeg } from '../ffmpeg/ffmpeg.ts'
import { openScratchFile } from '../ffmpeg/scratch.ts'
import { openSource } from '../ffmpeg/source-server.ts'
import type { Provider } from '../provider/provider.ts'
import { type Segment, transcribe } from '../provider/speech.ts'
import { joinPieces, piecesOf } from './pieces.ts'
import { claimTranscript, endTranscript, isAwaited } from './repository.ts'

export interface TranscribeResources {
  db: Database
  store: ObjectStore
  phase: Phase
  /** Undefined when none is configured. */
  transcriber: Provider | undefined
  settings: { scratchDirectory: string; stallSeconds: number; ffmpegPath: string }
}

type Claim = NonNullable<Awaited<ReturnType<typeof claimTranscript>>>

/** Most bytes of one piece: twice the size of ten minutes of 16-bit sound at 16 kHz. */
const pieceBytes = 40 * 1024 ** 2
/** Memory of an ffmpeg that only reads sound of our encodes: it needs a third of this. */
const soundMemoryBytes = 192 * 1024 ** 2

/**
 * The job that lets the transcriber write the first version of a session's script from the sound of its video. Nothing is
 * saved when a script was saved, or the video replaced or deleted, meanwhile. Without a transcriber the job ends without
 * an error.
 */
export function createTranscribeVideo(resources: TranscribeResources) {
  const { db, store, phase, transcriber } = resources
  return async ({ video_id }: { video_id: number }, { signal }: Pick<JobContext, 'signal'>): Promise<void> => {
    if (!transcriber) return void (await endTranscript(db, video_id, 'off'))
    const claim = await claimTranscript(db, video_id)
    if (!claim) return
    const scripts = (await listen(resources, transcriber, claim, signal)).map(toRecord)
    const bytes = Buffer.from(JSON.stringify({ scripts }))
    const checksum = hash('sha256', bytes)
    const mayFollow = (current: number) => current === 0
    const madeBy = 'transcriber' as const
    const script = { size: bytes.length, checksum, warnings: [], madeBy, mayFollow }
    const steps = scriptSteps(db, phase, claim, script)
    const commit: VersionSteps['commit'] = async (tx, id, etag) => {
      if (!(await isAwaited(tx, video_id))) return { kind: 'unwanted' }
      return steps.commit(tx, id, etag)
    }
    await saveVersion({ db, store }, bytes, { ...steps, commit })
  }
}

/** Records that a transcript was given up; false when it is no longer awaited. */
export const createTranscribeFailed =
  (db: Database) =>
  ({ video_id }: { video_id: number }): Promise<boolean> =>
    endTranscript(db, video_id, 'failed')

/** Transcribes the sound of a video, piece by piece. */
async function listen(
  { store, settings }: TranscribeResources,
  transcriber: Provider,
  { path, size, etag, seconds: length }: Claim,
  signal: AbortSignal,
): Promise<Segment[]> {
  const source = await openSource(store, { key: inFolder('video', path), size, etag })
  try {
    const heard = []
    for (const piece of piecesOf(length)) {
      const file = await openScratchFile(settings.scratchDirectory)
      try {
        const seconds = piece.to - piece.from
        await runFfmpeg({
          ...settings,
          signal,
          input: source.input(),
          size,
          container: 'mp4',
          from: piece.from,
          outputs: [{ options: pieceSound(seconds), file }],
          threads: { decoder: 1, filter: 1 },
          seconds: undefined,
          maxBytes: pieceBytes,
          maxSeconds: seconds + 60,
          memoryBytes: soundMemoryBytes,
          onProgress: () => {},
        })
        heard.push({ piece, segments: await transcribe(transcriber, await file.handle.readFile(), signal) })
      } finally {
        await file.close()
      }
    }
    return joinPieces(heard)
  } finally {
    await source.close()
  }
}

const timeOf = (seconds: number) => captionTime(Math.max(0, Math.round(seconds * 1000)), '.')

/** A record of a script. A transcriber does not know the speaker, so the therapist fills it in. */
const toRecord = ({ start, end, text }: Segment) => ({
  start_time: timeOf(start),
  end_time: timeOf(end),
  speaker: '',
  text: text.trim(),
})
