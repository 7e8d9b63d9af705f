import { texts } from '../texts/parts.ts'

/** Says that something is being loaded. It stays invisible during the first moments. */
export function Busy({ children = texts.loading }: { children?: string }) {
  return (
    <p class="busy" role="status">
      {children}
    </p>
  )
}
