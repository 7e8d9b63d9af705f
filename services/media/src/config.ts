import {
  DatabaseSettings,
  HttpSettings,
  integer,
  LinkSettings,
  LogSettings,
  leastBytesPerSecond,
  optionalText,
  StoreSettings,
  UploadSettings,
} from '@playtherapy/service-kit'
import { Type } from 'typebox'

export const MediaConfig = Type.Object({
  ...HttpSettings,
  ...LinkSettings,
  ...DatabaseSettings,
  ...StoreSettings,
  ...LogSettings,
  ...UploadSettings,
  UPLOAD_MIN_BYTES_PER_SECOND: integer(
    leastBytesPerSecond,
    'An upload that is slower than this over a minute is aborted; time spent waiting for the object store is not counted',
    { minimum: 1 },
  ),
  PLAYBACK_ACCEL_PREFIX: optionalText(
    'Internal location by which the nginx in front of this service reads recordings from the store itself: `/objects/` in `.docker/nginx.conf`; unset without such an nginx',
    { pattern: '^/([\\w-]+/)+$' },
  ),
})
