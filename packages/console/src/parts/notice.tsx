import type { ComponentChildren } from 'preact'
import { texts } from '../texts/parts.ts'
import { explain } from './explain.ts'

/** A message to the therapist. A failure is explained in plain words, with what to do. */
export function Notice({
  failure,
  onRetry,
  tone = failure === undefined ? 'plain' : 'alert',
  children,
}: {
  failure?: unknown
  onRetry?: () => void
  tone?: 'plain' | 'good' | 'caution' | 'alert'
  children?: ComponentChildren
}) {
  return (
    <div class={`notice ${tone}`} role={tone === 'alert' ? 'alert' : 'status'}>
      {failure !== undefined && <p>{explain(failure)}</p>}
      {children}
      {onRetry && (
        <button type="button" onClick={onRetry}>
          {texts.retry}
        </button>
      )}
    </div>
  )
}
