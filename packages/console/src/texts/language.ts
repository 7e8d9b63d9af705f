/** The language of the page: the first of the browser's that it has. */
export const language =
  navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag === 'ko' || tag === 'en') === 'ko' ? 'ko' : 'en'

/** The words of the page's language. Both have the same names, which the type demands. */
export const words = <Words>(both: { en: Words; ko: NoInfer<Words> }): Words => both[language]
