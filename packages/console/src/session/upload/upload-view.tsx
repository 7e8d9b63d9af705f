import { bytes, timeLeft } from '../../parts/amounts.ts'
import { isolated } from '../../parts/isolated.ts'
import { Notice } from '../../parts/notice.tsx'
import { texts } from '../../texts/session.ts'
import { texts as shell } from '../../texts/shell.ts'
import type { Upload } from './upload.ts'
import { dismissUpload } from './uploads.ts'

/** How far the upload of a session is, and what can be done with it. */
export function UploadView({ sessionId, upload }: { sessionId: number; upload: Upload }) {
  const { step, file, sent, bytesPerSecond, waiting, refusal, most } = upload.state.value
  const dismiss = () => dismissUpload(sessionId)
  if (step === 'done') {
    return (
      <Notice tone="good">
        <p>{texts.uploaded(isolated(file.name))}</p>
        <button type="button" onClick={dismiss}>
          {texts.dismiss}
        </button>
      </Notice>
    )
  }
  if (step === 'refused') {
    return (
      <Notice tone="alert">
        <p>
          {texts.refusal[refusal ?? 'unknown']} {most !== undefined && texts.most(bytes(most))}
        </p>
        <button type="button" onClick={dismiss}>
          {texts.chooseOther}
        </button>
      </Notice>
    )
  }
  const titles = { sending: texts.uploading, waiting: texts.uploadWaits }
  const heading = (step === 'sending' || step === 'waiting' ? titles[step] : texts.uploadPaused)(isolated(file.name))
  const secondsLeft = bytesPerSecond ? (file.size - sent) / bytesPerSecond : undefined
  return (
    <section class="paper stack upload" aria-label={texts.recording}>
      <h2>{heading}</h2>
      <progress max={file.size} value={sent} aria-label={heading} />
      <p class="row quiet numbers">
        <span>{texts.sentOf(bytes(sent), bytes(file.size))}</span>
        {step === 'sending' && sent === file.size && <span>{texts.almost}</span>}
        {bytesPerSecond !== undefined && <span>{texts.perSecond(bytes(bytesPerSecond))}</span>}
        {secondsLeft !== undefined && sent < file.size && <span>{texts.left(timeLeft(secondsLeft))}</span>}
      </p>
      {waiting && (
        <Notice tone="caution">
          <p>{waiting === 'outdated' || waiting === 'incomplete' ? shell[waiting] : texts.waiting[waiting]}</p>
        </Notice>
      )}
      <div class="row">
        {step === 'sending' ? (
          <button type="button" onClick={upload.pause}>
            {texts.pauseUpload}
          </button>
        ) : (
          <button type="button" class="primary" onClick={upload.goOn}>
            {step === 'waiting' ? texts.tryNow : texts.goOn}
          </button>
        )}
        <button
          type="button"
          onClick={() => {
            upload.cancel()
            dismiss()
          }}
        >
          {texts.cancelUpload}
        </button>
      </div>
      <p class="hint">{texts.keepOpen}</p>
    </section>
  )
}
