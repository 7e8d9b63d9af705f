/** What is shown of one interaction of a report, whose keys its maker chooses. */
export interface Interaction {
  /** Who says what, such as C1 and T1. */
  quotes: { by: string; text: string }[]
  /** What its maker says of it. */
  notes: { name: string; text: string }[]
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))

/** Reads an interaction: `C1`, `T2` and so on are quotes, all else is said about them. */
export function readInteraction(sent: Record<string, unknown>): Interaction {
  const members = Object.entries(sent).filter(([, value]) => value !== null && value !== '')
  const isQuote = ([name, value]: [string, unknown]) => /^[A-Za-z]\d*$/.test(name) && typeof value === 'string'
  return {
    quotes: members.filter(isQuote).map(([by, value]) => ({ by, text: textOf(value) })),
    notes: members.filter((member) => !isQuote(member)).map(([name, value]) => ({ name, text: textOf(value) })),
  }
}
