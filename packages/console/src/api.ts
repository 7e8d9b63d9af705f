import { createClient } from '@playtherapy/client'
import { token } from './account.ts'

/** The client of all services, with the token of the signed-in therapist or operator. */
export const api = createClient({ url: location.origin, token: () => token.value ?? '' })
