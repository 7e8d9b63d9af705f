import { effect } from '@preact/signals'
import { render } from 'preact'
import { takeToken } from './account.ts'
import { App } from './app.tsx'
import { language } from './texts/language.ts'

takeToken()
// Somebody opens the link in a tab that has the page already.
addEventListener('hashchange', takeToken)
effect(() => {
  document.documentElement.lang = language.value
})
render(<App />, document.body)
