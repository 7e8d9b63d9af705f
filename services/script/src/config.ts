import { DatabaseSettings, HttpSettings, LogSettings, StoreSettings } from '@playtherapy/service-kit'
import { Type } from 'typebox'

/** Settings of the script service. */
export const ScriptConfig = Type.Object({ ...HttpSettings, ...DatabaseSettings, ...StoreSettings, ...LogSettings })
