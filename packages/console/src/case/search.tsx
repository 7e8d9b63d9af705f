/** Search in what was said in the sessions of a case. */
export function Search(_: { caseId: number }) {
  return null
}
