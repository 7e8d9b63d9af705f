/**
 * The name of a file, case or session as a part of a sentence. It is isolated (U+2068, U+2069), because a name may turn the direction of
 * what follows it, and composed, because macOS keeps each Hangul syllable in parts.
 */
export const isolated = (name: string) => `\u2068${name.normalize('NFC')}\u2069`
