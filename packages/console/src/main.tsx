import { render } from 'preact'
import { takeToken } from './account.ts'
import { App } from './app.tsx'
import { language, words } from './texts/language.ts'

takeToken()
document.documentElement.lang = language
document.title = words({ en: 'PlayTherapy', ko: '놀이치료' })
render(<App />, document.body)
