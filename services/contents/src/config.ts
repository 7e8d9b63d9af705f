import {
  DatabaseSettings,
  HttpSettings,
  LinkSettings,
  LogSettings,
  StoreSettings,
  TraceSettings,
  UploadSettings,
} from '@playtherapy/service-kit'
import { Type } from 'typebox'

export const ContentsConfig = Type.Object({
  ...HttpSettings,
  ...LinkSettings,
  ...DatabaseSettings,
  ...StoreSettings,
  ...UploadSettings,
  ...LogSettings,
  ...TraceSettings,
  DATE_TIME_ZONE: Type.String({
    default: 'Asia/Seoul',
    pattern: '^[A-Za-z]',
    format: 'time-zone',
    description: 'Time zone that decides on which day a moment falls',
  }),
})
