import { ApiFailure } from '@playtherapy/client'
import { useSignal } from '@preact/signals'
import { noteRefusal, token } from '../account.ts'
import { Notice } from '../parts/notice.tsx'
import { texts } from '../texts/script.ts'

const formats = ['vtt', 'srt', 'txt', 'csv', 'xlsx', 'json'] as const

/** The name that the service gives a file (RFC 6266, RFC 8187). */
function nameOf(response: Response, otherwise: string): string {
  const disposition = response.headers.get('content-disposition') ?? ''
  const [, extended] = /filename\*=UTF-8''([^;]+)/i.exec(disposition) ?? []
  const [, plain] = /filename="((?:[^"\\]|\\.)*)"/i.exec(disposition) ?? []
  return extended ? decodeURIComponent(extended) : (plain?.replace(/\\(.)/g, '$1') ?? otherwise)
}

/** Fetches a file with the token, which a link would not send, and lets the browser save it under the service's name. */
async function download(path: string, otherwise: string): Promise<void> {
  const response = await fetch(path, { headers: { authorization: `Bearer ${token.value ?? ''}` } })
  if (!response.ok) throw new ApiFailure(response, await response.json().catch(() => undefined))
  const url = URL.createObjectURL(await response.blob())
  const link = document.createElement('a')
  link.href = url
  link.download = nameOf(response, otherwise)
  link.click()
  // A browser may begin to read it only after this turn.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

/** The newest script, or one version, as a file in each form. */
export function Exports({ caseId, sessionId, version }: { caseId: number; sessionId: number; version?: number }) {
  const failure = useSignal<unknown>(undefined)
  const script = `/contents/api/case/${caseId}/session/${sessionId}/script`
  const place = version === undefined ? script : `${script}/versions/${version}`
  return (
    <>
      <div class="tools">
        {formats.map((format) => (
          <button
            key={format}
            type="button"
            onClick={async () => {
              failure.value = undefined
              await download(`${place}.${format}`, `script.${format}`).catch((error: unknown) => {
                noteRefusal(error)
                failure.value = error
              })
            }}
          >
            {texts.formats[format]}
          </button>
        ))}
      </div>
      {failure.value !== undefined && <Notice failure={failure.value} />}
    </>
  )
}
