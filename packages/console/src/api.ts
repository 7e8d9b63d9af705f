import { createClient } from '@playtherapy/client'
import { noteRefusal, token, tokenOf } from './account.ts'
import { learnTime } from './server-time.ts'

const where = { url: location.origin, onRefused: noteRefusal, onResponse: learnTime }

/** The client of all services, with the token of the signed-in therapist or operator. */
export const api = createClient({ ...where, token: () => token.value ?? '' })

/** The same for work of several steps of one therapist: a call throws once another user is signed in. */
export const apiOf = (owner: number | undefined) => createClient({ ...where, token: () => tokenOf(owner) })
