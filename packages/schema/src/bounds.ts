/** What the routes let a therapist write of a case and its sessions, and what an import of a case lets in. */

/** Most characters of each name of a case, and of the name of a session. */
export const nameCharacters = 200
/** Most bytes of a description, as JSON. */
export const descriptionBytes = 16 * 1024
