import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import type { Playback } from '../session/playback.ts'
import { texts } from '../texts/script.ts'
import { Exports } from './exports.tsx'
import { Import } from './import.tsx'
import { Pictures } from './pictures.tsx'
import type { Opened } from './use-script.ts'
import { Versions } from './versions.tsx'

/** The panels for the script as a whole: pictures, versions, and files. Each is closed at first. */
export function Panels({
  opened,
  playback,
  ...session
}: {
  opened: Opened
  playback: Playback
  caseId: number
  sessionId: number
}) {
  const hasScript = (opened.script.version.value ?? 0) > 0
  return (
    <>
      {hasScript && (
        <Panel title={texts.pictures}>
          <Pictures opened={opened} playback={playback} {...session} />
        </Panel>
      )}
      {hasScript && (
        <Panel title={texts.versions}>
          <Versions opened={opened} {...session} />
        </Panel>
      )}
      <Panel title={texts.files} isOpen={!hasScript}>
        <div class="files">
          <Import opened={opened} {...session} />
          {hasScript && (
            <section aria-label={texts.export}>
              <h4>{texts.export}</h4>
              <p class="hint">{texts.exportHint}</p>
              <Exports {...session} />
            </section>
          )}
        </div>
      </Panel>
    </>
  )
}

/** A part of the page that loads its content when it is opened. */
function Panel({ title, isOpen = false, children }: { title: string; isOpen?: boolean; children: ComponentChildren }) {
  const open = useSignal(isOpen)
  return (
    <details class="panel paper" open={open.value} onToggle={({ currentTarget }) => (open.value = currentTarget.open)}>
      <summary>
        <h3>{title}</h3>
      </summary>
      {open.value && children}
    </details>
  )
}
