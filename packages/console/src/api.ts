import { createClient } from '@playtherapy/client'
import { token } from './account.ts'

/** All services, in the name of who is signed in. */
export const api = createClient({ url: location.origin, token: () => token.value ?? '' })
