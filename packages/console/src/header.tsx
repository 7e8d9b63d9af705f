import { signal } from '@preact/signals'
import { isOnlyOperator, isOperator, person } from './account.ts'
import { pageFault } from './late-parts.ts'
import { connection } from './live.ts'
import { casesPath, operationsPath } from './route.ts'
import { SignOut } from './sign-out.tsx'
import { choose, language } from './texts/language.ts'
import { texts } from './texts/shell.ts'

const isOnline = signal(navigator.onLine)
for (const event of ['online', 'offline'])
  addEventListener(event, () => {
    isOnline.value = navigator.onLine
  })

/** What is above every view: the way home, the language, who is signed in, and whether the page hears of changes. */
export function Header() {
  return (
    <header class="shell">
      <button type="button" class="skip primary" onClick={() => document.querySelector('h1')?.focus()}>
        {texts.skip}
      </button>
      <div class="row">
        <a class="brand" href={casesPath}>
          {texts.name}
        </a>
        {isOperator.value && !isOnlyOperator.value && <a href={operationsPath}>{texts.operations}</a>}
        <LanguageChoice />
        <span class="person">{person.value}</span>
        <SignOut />
      </div>
      <div class="connection" role="status">
        {pageFault.value && (
          <p class="lost">
            {texts[pageFault.value]}{' '}
            <button type="button" onClick={() => location.reload()}>
              {texts.loadAnew}
            </button>
          </p>
        )}
        {!isOnline.value ? (
          <p class="lost">{texts.offline}</p>
        ) : (
          connection.value === 'lost' && <p class="lost">{texts.lost}</p>
        )}
      </div>
    </header>
  )
}

/** Names the other language in its own words. */
export function LanguageChoice() {
  const other = language.value === 'ko' ? 'en' : 'ko'
  return (
    <button type="button" class="bare" lang={other} onClick={() => choose(other)}>
      {other === 'ko' ? '한국어' : 'English'}
    </button>
  )
}
