import {
  DatabaseSettings,
  HttpSettings,
  integer,
  LogSettings,
  optionalText,
  StoreSettings,
  UploadSettings,
} from '@playtherapy/service-kit'
import { Type } from 'typebox'
import { leastBytesPerSecond } from './upload/file-part.ts'

export const MediaConfig = Type.Object({
  ...HttpSettings,
  ...DatabaseSettings,
  ...StoreSettings,
  ...LogSettings,
  ...UploadSettings,
  UPLOAD_MIN_BYTES_PER_SECOND: Type.Integer({
    default: leastBytesPerSecond,
    minimum: 1,
    description:
      'An upload that is slower than this over a minute is aborted; time spent waiting for the object store is not counted',
  }),
  PLAYBACK_ACCEL_PREFIX: Type.Optional(
    Type.String({
      pattern: '^/([\\w-]+/)+$',
      description:
        'Internal location by which the nginx in front of this service reads recordings from the store itself: `/objects/` in `.docker/nginx.conf`; unset without such an nginx',
    }),
  ),
})
