import { signal } from '@preact/signals'

export type Language = 'en' | 'ko'

const key = 'playtherapy.language'

/** What somebody chose on this browser before. A browser may refuse to store anything, and then throws. */
function chosenBefore(): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

/** The language of the page: the one that was chosen, else the first of the browser's that the page has. */
export const language = signal<Language>(
  [chosenBefore() ?? '', ...navigator.languages]
    .map((tag) => tag.slice(0, 2))
    .find((tag): tag is Language => tag === 'ko' || tag === 'en') ?? 'en',
)

export function choose(chosen: Language): void {
  language.value = chosen
  try {
    localStorage.setItem(key, chosen)
  } catch {
    // The choice is for this visit only.
  }
}

/**
 * The words of the page's language. Both have the same names, which the type demands. They are looked up when they are
 * read, so a component that reads one is drawn again in the language that somebody chooses: do not keep them in constants.
 */
export const words = <Words extends object>(both: { en: Words; ko: NoInfer<Words> }): Words =>
  new Proxy(both.en, { get: (_, name) => Reflect.get(both[language.value], name) })
