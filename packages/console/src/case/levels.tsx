/** The level of each category over the sessions of a case. */
export function Levels(_: { caseId: number }) {
  return null
}
