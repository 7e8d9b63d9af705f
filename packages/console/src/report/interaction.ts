/** The shown parts of one interaction. The analysis system chooses the keys of an interaction. */
export interface Interaction {
  /** The quotes in their order, each with its key, such as C1 or T1. */
  quotes: { by: string; text: string }[]
  /** The remarks of the analysis system. */
  notes: { name: string; text: string }[]
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))

/** Reads an interaction: `C1`, `T2` and so on are quotes, all other keys are remarks about them. */
export function readInteraction(sent: Record<string, unknown>): Interaction {
  const members = Object.entries(sent).filter(([, value]) => value !== null && value !== '')
  const isQuote = ([name, value]: [string, unknown]) => /^[A-Za-z]\d*$/.test(name) && typeof value === 'string'
  return {
    quotes: members.filter(isQuote).map(([by, value]) => ({ by, text: textOf(value) })),
    notes: members.filter((member) => !isQuote(member)).map(([name, value]) => ({ name, text: textOf(value) })),
  }
}
