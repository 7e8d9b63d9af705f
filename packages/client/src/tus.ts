import { bearerOf, type ClientOptions } from './call.ts'

/** A request of tus-js-client, as far as its hook needs it. */
interface TusRequest {
  setHeader(name: string, value: string): void
}

/**
 * Options for `new tus.Upload(file, …)` of tus-js-client, which uploads a recording into a session, survives the network, and goes
 * on after a reload: `{ ...tusOptions(where, ids, file.name), onProgress, onError, onSuccess }`. The token is asked for with each
 * request, because an upload may outlast it.
 */
export const tusOptions = (
  client: ClientOptions,
  { case_id, session_id }: { case_id: number; session_id: number },
  filename: string,
) => ({
  endpoint: `${client.url.replace(/\/$/, '')}/contents/api/case/${case_id}/session/${session_id}/video/tus`,
  metadata: { filename },
  retryDelays: [0, 1_000, 3_000, 5_000, 10_000, 20_000, 30_000],
  removeFingerprintOnSuccess: true,
  async onBeforeRequest(request: TusRequest): Promise<void> {
    request.setHeader('Authorization', `Bearer ${await bearerOf(client)}`)
  },
})
