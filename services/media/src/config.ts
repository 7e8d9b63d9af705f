import { DatabaseSettings, HttpSettings, LogSettings, StoreSettings, UploadSettings } from '@playtherapy/service-kit'
import { Type } from 'typebox'
import { leastRate } from './upload/file-part.ts'

/** Settings of the media service's process. */
export const MediaConfig = Type.Object({
  ...HttpSettings,
  ...DatabaseSettings,
  ...StoreSettings,
  ...LogSettings,
  ...UploadSettings,
  UPLOAD_MIN_BYTES_PER_SECOND: Type.Integer({
    default: leastRate,
    minimum: 1,
    description:
      'An upload that is slower over a minute is broken off; the time in which the store is slow does not count',
  }),
  PLAYBACK_ACCEL_PREFIX: Type.Optional(
    Type.String({
      pattern: '^/([\\w-]+/)+$',
      description:
        'Internal location of an nginx before us that then reads recordings from the store itself, `/objects/` in `.docker/nginx.conf`; only behind such a one',
    }),
  ),
})
