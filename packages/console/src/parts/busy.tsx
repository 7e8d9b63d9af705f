import { texts } from '../texts/parts.ts'

/** Says that something is being loaded; it is not seen where that takes only a moment. */
export function Busy({ children = texts.loading }: { children?: string }) {
  return (
    <p class="busy" role="status">
      {children}
    </p>
  )
}
