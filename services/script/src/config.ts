import {
  DatabaseSettings,
  HttpSettings,
  LinkSettings,
  LogSettings,
  StoreSettings,
  TraceSettings,
} from '@playtherapy/service-kit'
import { Type } from 'typebox'

const { LINK_KEYS } = LinkSettings

export const ScriptConfig = Type.Object({
  ...HttpSettings,
  LINK_KEYS,
  ...DatabaseSettings,
  ...StoreSettings,
  ...LogSettings,
  ...TraceSettings,
})
