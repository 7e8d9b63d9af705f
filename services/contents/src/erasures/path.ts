/** Where the state of an erasure is found, for the header `Location` of a deletion. */
export const erasurePath = (publicId: string) => `/contents/api/erasure/${publicId}`

/** What the document says of a deletion. */
export const locationOfErasure =
  'The header `Location` is the path of the erasure, which tells how far it is and gives the receipt.'
