import { useEffect, useMemo } from 'preact/hooks'
import { api } from '../api.ts'
import { bytes } from '../parts/amounts.ts'
import { isolated } from '../parts/isolated.ts'
import { Notice } from '../parts/notice.tsx'
import { texts } from '../texts/session.ts'
import { DeleteRecording } from './delete-recording.tsx'
import { EncodeView } from './encode-view.tsx'
import type { Playback } from './playback.ts'
import { keepLinks } from './player/links.ts'
import { Player } from './player/player.tsx'
import type { SessionNow } from './recording.ts'
import { ChooseFile } from './upload/choose-file.tsx'
import { UploadView } from './upload/upload-view.tsx'
import { uploadOf } from './upload/uploads.ts'

/** The recording of a session: what plays, how far an upload or encode is, and what can be done about it. */
export function RecordingPart({
  caseId,
  sessionId,
  playback,
  now,
}: {
  caseId: number
  sessionId: number
  playback: Playback
  now: SessionNow
}) {
  const links = useMemo(
    () => keepLinks((signal) => api.playback.createLinks({ case_id: caseId, session_id: sessionId }, { signal })),
    [caseId, sessionId],
  )
  useEffect(() => links.close, [links])
  const { video, scriptVersion } = now
  const { state, playable = false } = video ?? {}
  const hasScript = scriptVersion !== undefined
  const { current } = links
  // Still pictures come some time after the end of the encode.
  const awaitsPictures = Boolean(current.value?.mp4) && !current.value?.storyboard
  // What there are links for changes with these alone.
  useEffect(links.renew, [links, state, playable, hasScript, awaitsPictures && now])

  const upload = uploadOf(sessionId)
  const shown = current.value?.video_id ?? null
  const hasRecording = video !== null && !(video.state === 'failed' && video.size === null)
  // An upload that is under way elsewhere, or has just ended here, is nothing that could be lost.
  const isReplacing = shown !== null || (hasRecording && state !== 'receiving')
  return (
    <>
      {shown !== null && (
        <Player
          links={links}
          playback={playback}
          isGrowing={playable && state === 'encoding'}
          scriptVersion={scriptVersion}
        />
      )}
      {shown === null && links.failure.value !== undefined && (
        <Notice failure={links.failure.value} onRetry={links.renew} />
      )}
      {upload && <UploadView sessionId={sessionId} upload={upload} />}
      {video && !(upload && state === 'receiving') && (
        <EncodeView video={video} isOlderShown={shown !== null && !playable} />
      )}
      {!upload && !hasRecording && shown === null && (
        <>
          <p class="quiet">{texts.none}</p>
          <ChooseFile caseId={caseId} sessionId={sessionId} isReplacing={false} />
        </>
      )}
      {(hasRecording || shown !== null) && (!upload || upload.state.value.step === 'done') && (
        <details class="manage" open={state === 'failed' || state === 'receiving'}>
          <summary>{texts.manage}</summary>
          <div class="stack">
            {video?.file_name && (
              <p class="quiet">{texts.file(isolated(video.file_name), video.size === null ? '' : bytes(video.size))}</p>
            )}
            <ChooseFile caseId={caseId} sessionId={sessionId} isReplacing={isReplacing} />
            <div>
              <DeleteRecording caseId={caseId} sessionId={sessionId} />
            </div>
          </div>
        </details>
      )}
    </>
  )
}
