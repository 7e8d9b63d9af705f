import { bearerOf, type ClientOptions } from './call.ts'

/** A request of tus-js-client, as far as its hook needs it. */
interface TusRequest {
  setHeader(name: string, value: string): void
}

/**
 * Options for `new tus.Upload(file, …)` of tus-js-client, which uploads a recording into a session and continues after an interrupted
 * connection or a reload: `{ ...tusOptions(where, ids, file.name), onProgress, onError, onSuccess }`. Each request gets the current token,
 * because an upload may take longer than a token is valid.
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
