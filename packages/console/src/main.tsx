import { effect } from '@preact/signals'
import { render } from 'preact'
import { takeToken } from './account.ts'
import { App } from './app.tsx'
import { prepareHeld } from './held/late.ts'
import { loadAhead } from './late-parts.ts'
import { language } from './texts/language.ts'
import { loadOperations, loadSession } from './views.ts'

takeToken()
// Somebody opens the link in a tab that has the page already.
addEventListener('hashchange', takeToken)
// A file that is dropped where nothing takes it would take the place of the page, with all that is typed in it.
for (const kind of ['dragover', 'drop'] as const) {
  addEventListener(kind, (event) => {
    if (event.defaultPrevented || !event.dataTransfer?.types.includes('Files')) return
    event.preventDefault()
    event.dataTransfer.dropEffect = 'none'
  })
}
effect(() => {
  document.documentElement.lang = language.value
})
// What the page says until it is loaded.
document.body.replaceChildren()
render(<App />, document.body)
// Safari before 2026 does not tell when it has nothing to do.
const whenIdle = globalThis.requestIdleCallback ?? ((work: () => void) => setTimeout(work, 2_000))
addEventListener('load', () => whenIdle(() => void loadAhead([loadSession, prepareHeld, loadOperations])))
