import { DatabaseSettings, HttpSettings, LogSettings, StoreSettings } from '@playtherapy/service-kit'
import { Type } from 'typebox'

export const ScriptConfig = Type.Object({ ...HttpSettings, ...DatabaseSettings, ...StoreSettings, ...LogSettings })
