/** Reads the id of a case or of a therapist, a number from 1 to 2,147,483,647; undefined for any other text. */
export function idFrom(text: string): number | undefined {
  return /^[1-9]\d{0,9}$/.test(text) && Number(text) <= 2_147_483_647 ? Number(text) : undefined
}
