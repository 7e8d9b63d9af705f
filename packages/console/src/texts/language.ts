import { signal } from '@preact/signals'

export type Language = 'en' | 'ko'

const key = 'playtherapy.language'

/** The language that was chosen in this browser before. Browsers that store nothing throw here. */
function chosenBefore(): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

/** The language of the page: the chosen one, or else the first language of the browser that the page has. */
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
 * The texts in the language of the page. The type demands the same names in both languages. Texts are looked up when they are read, so
 * that a component is drawn again after another language was chosen. Do not keep them in constants.
 */
export const words = <Words extends object>(both: { en: Words; ko: NoInfer<Words> }): Words =>
  new Proxy(both.en, { get: (_, name) => Reflect.get(both[language.value], name) })
