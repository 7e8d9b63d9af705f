import { fetchText, type Request } from './load.ts'

/** The request for the signed links of a session. */
export const linksRequest = (
  serviceUrl: string,
  session: { path: string; headers: Record<string, string> },
): Request => ({
  url: `${serviceUrl}${session.path}/playback`,
  headers: session.headers,
  method: 'POST',
})

/** Returns the URL of the main playlist of a session; undefined as long as nothing of it can be played. */
export async function playlistOf(serviceUrl: string, request: Request): Promise<string | undefined> {
  const links: unknown = JSON.parse(await fetchText(request))
  const path = typeof links === 'object' && links && 'hls' in links ? links.hls : undefined
  return typeof path === 'string' ? serviceUrl + path : undefined
}
