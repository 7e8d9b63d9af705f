import { fileNameOf, NetworkFailure } from '@playtherapy/client'
import { useSignal } from '@preact/signals'
import { api } from '../api.ts'
import { Busy } from '../parts/busy.tsx'
import { Notice } from '../parts/notice.tsx'
import { saveFile } from '../parts/save-file.ts'
import { texts } from '../texts/script.ts'

/** Each form of file with the call of the client for it. */
const calls = [
  ['vtt', 'exportVtt'],
  ['srt', 'exportSrt'],
  ['txt', 'exportTxt'],
  ['csv', 'exportCsv'],
  ['xlsx', 'exportXlsx'],
  ['json', 'exportJson'],
] as const

/** Lets the browser save a response as a file, under the name that the service gives it, or `name` where a proxy has lost that. */
async function keep(response: Response, name: string): Promise<void> {
  const bytes = await response.blob().catch((cause: unknown) => {
    throw new NetworkFailure('The file broke off', { cause })
  })
  saveFile(bytes, fileNameOf(response) ?? name)
}

/** The newest script, or one version, as a file in each form. */
export function Exports({ caseId, sessionId, version }: { caseId: number; sessionId: number; version?: number }) {
  const failure = useSignal<unknown>(undefined)
  /** A script of 100,000 records becomes a file of Excel in fifteen seconds. */
  const isBusy = useSignal(false)
  const session = { case_id: caseId, session_id: sessionId }
  return (
    <>
      <div class="tools">
        {calls.map(([format, name]) => (
          <button
            key={format}
            type="button"
            disabled={isBusy.value}
            onClick={async () => {
              failure.value = undefined
              isBusy.value = true
              try {
                await keep(
                  version === undefined
                    ? await api.scripts[name](session)
                    : await api.scriptVersions[name]({ ...session, version }),
                  `script.${format}`,
                )
              } catch (error) {
                failure.value = error
              }
              isBusy.value = false
            }}
          >
            {texts.formats[format]}
          </button>
        ))}
      </div>
      {isBusy.value && <Busy />}
      {failure.value !== undefined && <Notice failure={failure.value} />}
    </>
  )
}
