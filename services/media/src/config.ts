import {
  DatabaseSettings,
  HttpSettings,
  integer,
  LinkSettings,
  LogSettings,
  leastBytesPerSecond,
  optionalText,
  StoreSettings,
  TraceSettings,
  UploadSettings,
} from '@playtherapy/service-kit'
import { Type } from 'typebox'

export const MediaConfig = Type.Object({
  ...HttpSettings,
  ...LinkSettings,
  ...DatabaseSettings,
  ...StoreSettings,
  ...LogSettings,
  ...TraceSettings,
  ...UploadSettings,
  UPLOAD_MIN_BYTES_PER_SECOND: integer(
    leastBytesPerSecond,
    'An upload that is slower than this over a minute is aborted; time spent waiting for the object store is not counted',
    { minimum: 1 },
  ),
  UPLOAD_EXPIRY_SECONDS: integer(
    86_400,
    'A resumable upload that is not complete so long after its creation is removed, in seconds: from a minute to 47 hours',
    { minimum: 60, maximum: 169_200 },
  ),
  PLAYBACK_ACCEL_PREFIX: optionalText(
    'Internal location by which the nginx in front of this service reads recordings from the store itself: `/objects/` in `.docker/nginx.conf`; unset without such an nginx',
    { pattern: '^/([\\w-]+/)+$' },
  ),
})
