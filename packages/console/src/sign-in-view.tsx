import { useState } from 'preact/hooks'
import { readClaims, signIn } from './account.ts'
import { LanguageChoice } from './header.tsx'
import { Field } from './parts/field.tsx'
import { Heading } from './parts/heading.tsx'
import { Notice } from './parts/notice.tsx'
import { texts } from './texts/shell.ts'

/** The text with the licences of what is bundled, where the server has one beside the page. */
const { notices } = document.documentElement.dataset

/** What is shown to who has not signed in. */
export function SignInView() {
  return (
    <main class="sign-in">
      <Heading title={texts.name}>
        <LanguageChoice />
      </Heading>
      <p class="quiet">{texts.about}</p>
      <SignInForm />
      {notices && (
        <p class="hint">
          <a href={notices} target="_blank" rel="noopener">
            {texts.notices}
          </a>
        </p>
      )}
    </main>
  )
}

/** Takes a token. Whether the server accepts it turns out with the first request. */
export function SignInForm({ reason }: { reason?: 'expired' | 'refused' }) {
  const [text, setText] = useState('')
  const [isWrong, setWrong] = useState(false)
  // A token that is copied out of a terminal or a mail comes with line breaks and spaces in it.
  const given = text.replace(/\s+/g, '').replace(/^bearer/i, '')
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault()
        if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(given) && readClaims(given)) signIn(given)
        else setWrong(true)
      }}
    >
      {reason && <Notice tone="caution">{<p>{texts[reason]}</p>}</Notice>}
      <Field label={texts.token} hint={texts.tokenHint} fault={isWrong && texts.notAToken}>
        {(control) => (
          <input
            {...control}
            type="password"
            autocomplete="off"
            spellcheck={false}
            required
            value={text}
            onInput={({ currentTarget: { value } }) => {
              setText(value)
              setWrong(false)
            }}
          />
        )}
      </Field>
      <p class="hint">{texts.whereFrom}</p>
      <p class="hint">{texts.kept}</p>
      <div class="actions">
        <button type="submit" class="primary">
          {texts.signIn}
        </button>
      </div>
    </form>
  )
}
