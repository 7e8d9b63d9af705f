import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { KnownVersion, readAnswers, route } from '../scripts/schemas.ts'
import { findScript, type ScriptOptions } from '../scripts/service.ts'
import { VersionParams } from '../versions/schemas.ts'
import { contentOf, formats, sendScript } from './send.ts'

const names = {
  json: 'JSON, as it was sent',
  vtt: "WebVTT, for the video's captions track",
  srt: 'SubRip',
  txt: 'text to paste',
  csv: 'CSV',
  xlsx: 'an Excel workbook',
}

/** How a script is taken out as a file, by suffix: the newest one or any version. */
export const exportRoutes: FastifyPluginAsyncTypebox<ScriptOptions> = async (app, options) => {
  for (const format of formats) {
    const answers = { headers: KnownVersion, response: readAnswers('The file', contentOf(format)) }
    app.get(
      `/script.${format}`,
      { schema: { ...route, summary: `The newest script as ${names[format]}`, ...answers } },
      async (request, reply) => {
        const script = await findScript(options, request, 'current')
        return sendScript(options, request, reply, { script, format, asFile: true })
      },
    )
    app.get(
      `/script/versions/:version.${format}`,
      { schema: { ...route, params: VersionParams, summary: `A version as ${names[format]}`, ...answers } },
      async (request, reply) => {
        const script = await findScript(options, request, Number(request.params.version))
        return sendScript(options, request, reply, { script, format, asFile: true })
      },
    )
  }
}
