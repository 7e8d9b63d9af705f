import type { VideoState } from '@playtherapy/client'
import { bytes, timeLeft } from '../parts/amounts.ts'
import { isolated } from '../parts/isolated.ts'
import { Notice } from '../parts/notice.tsx'
import { failureWords } from '../texts/failures.ts'
import { texts } from '../texts/session.ts'
import { clock } from './clock.ts'

/** How far the newest recording is on its way to a therapist's eyes. `isOlderShown` says that another one can be watched meanwhile. */
export function EncodeView({ video, isOlderShown }: { video: VideoState; isOlderShown: boolean }) {
  const {
    state,
    progress,
    playable,
    seconds_ready,
    seconds_left,
    failure,
    failure_code: code,
    received,
    size,
    file_name,
  } = video
  if (state === 'receiving') {
    return (
      <Notice>
        <p>
          {texts.receivedElsewhere(file_name === null ? texts.aFile : isolated(file_name))}{' '}
          {received !== null && texts.received(bytes(received))}
        </p>
      </Notice>
    )
  }
  if (state === 'stored') {
    return (
      <Notice>
        <p>{isOlderShown ? texts.storedNewer : texts.stored}</p>
      </Notice>
    )
  }
  if (state === 'failed') {
    // An upload that failed has left nothing behind.
    const isUpload = size === null
    return (
      <Notice tone="alert">
        <div class="stack">
          <p>{isUpload ? texts.uploadFailed : texts.failed}</p>
          <p>{failureWords(code)}</p>
          {failure && (
            <p class="hint">
              {texts.serverSays} <q lang="en">{failure}</q>
            </p>
          )}
          {playable && <p>{texts.failedPart(clock(seconds_ready))}</p>}
        </div>
      </Notice>
    )
  }
  if (state !== 'encoding') return null
  return (
    <section class="paper stack encode" aria-label={texts.encoding}>
      <p>{isOlderShown && !playable ? texts.encodingNewer : texts.encoding}</p>
      <progress max={100} value={progress} aria-label={texts.encoding} />
      <p class="row quiet numbers">
        <span>{progress} %</span>
        {playable && <span>{texts.readyTo(clock(seconds_ready))}</span>}
        {seconds_left !== null && <span>{texts.timeLeft(timeLeft(seconds_left))}</span>}
      </p>
    </section>
  )
}
