import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { fileResponses, KnownVersion, readResponses, route, VersionParams } from '../scripts/schemas.ts'
import { findScript } from '../scripts/service.ts'
import { anyContent, contentOf, type ExportOptions, type Format, formats, preferredFormat, sendScript } from './send.ts'

const names = {
  json: 'JSON, as it was sent',
  vtt: "WebVTT, for the video's captions track",
  srt: 'SubRip',
  txt: 'text to paste',
  csv: 'CSV',
  xlsx: 'an Excel workbook',
}

/** The name of an export's operation in its group, such as `exportVtt`. */
const operationOf = (format: Format) => `export${format.charAt(0).toUpperCase()}${format.slice(1)}`

/** Reads of a script: the newest or any version, in the format that `Accept` or the path's suffix names. */
export const exportRoutes: FastifyPluginAsyncTypebox<ExportOptions> = async (app, options) => {
  app.get(
    '/script',
    {
      schema: {
        ...route,
        operationId: 'scripts.get',
        summary: 'Read the newest script',
        description:
          'As it was sent, or as `Accept` asks: WebVTT, SubRip, text, CSV or XLSX. Its ETag is for `If-Match` and `If-None-Match`.',
        headers: KnownVersion,
        response: readResponses('The script', anyContent),
      },
    },
    async (request, reply) => {
      const format = preferredFormat(request, reply)
      return sendScript(options, request, reply, { script: await findScript(options, request, 'current'), format })
    },
  )

  app.get(
    '/script/versions/:version',
    {
      schema: {
        ...route,
        operationId: 'scriptVersions.get',
        summary: 'Read one version of the script',
        description: 'As it was sent, or as `Accept` asks: WebVTT, SubRip, text, CSV or XLSX.',
        params: VersionParams,
        headers: KnownVersion,
        response: readResponses('The script', anyContent),
      },
    },
    async (request, reply) => {
      const format = preferredFormat(request, reply)
      const script = await findScript(options, request, Number(request.params.version))
      return sendScript(options, request, reply, { script, format })
    },
  )

  for (const format of formats) {
    const config = { audit: { action: 'export' as const } }
    const common = { headers: KnownVersion, response: fileResponses(contentOf(format)) }
    app.get(
      `/script.${format}`,
      {
        config,
        schema: {
          ...route,
          operationId: `scripts.${operationOf(format)}`,
          summary: `The newest script as ${names[format]}`,
          ...common,
        },
      },
      async (request, reply) => {
        const script = await findScript(options, request, 'current')
        return sendScript(options, request, reply, { script, format, asFile: true })
      },
    )
    app.get(
      `/script/versions/:version.${format}`,
      {
        config,
        schema: {
          ...route,
          params: VersionParams,
          operationId: `scriptVersions.${operationOf(format)}`,
          summary: `A version as ${names[format]}`,
          ...common,
        },
      },
      async (request, reply) => {
        const script = await findScript(options, request, Number(request.params.version))
        return sendScript(options, request, reply, { script, format, asFile: true })
      },
    )
  }
}
