import { DatabaseSettings, HttpSettings, LogSettings, StoreSettings, UploadSettings } from '@playtherapy/service-kit'
import { Type } from 'typebox'

/** The list that Intl can give out leaves out UTC and other valid names, so it is asked about the one. */
function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** Settings of the contents service. */
export const ContentsConfig = Type.Object({
  ...HttpSettings,
  ...DatabaseSettings,
  ...StoreSettings,
  ...UploadSettings,
  ...LogSettings,
  DATE_TIME_ZONE: Type.Refine(
    Type.String({ default: 'Asia/Seoul', pattern: '^[A-Za-z]', description: 'Zone in which dates are days' }),
    isTimeZone,
    () => 'must be the name of a time zone',
  ),
})
