export {
  CaseParams,
  guardAccess,
  guardExistence,
  ownSession,
  type SessionOfCaller,
  SessionParams,
} from './access.ts'
export { type AuthSettings, requireReportWriter, requireTherapist } from './auth.ts'
export { ConfigError, loadConfig } from './config.ts'
export { ErrorBody } from './error-handler.ts'
export { ApiError, errors, type Fault, fault } from './errors.ts'
export { createHealthHost } from './health.ts'
export { type JsonBounds, parseJson } from './json-body.ts'
export { heldBackBytes, sendJsonObject } from './json-object.ts'
export { closeOnSignals, drain } from './lifecycle.ts'
export { createLogger } from './log.ts'
export { loggable } from './loggable.ts'
export { whenOver } from './over.ts'
export { boundRate, type Rate } from './rate.ts'
export * from './settings.ts'
export { createShares, type Shares } from './shares.ts'
export { ajvOptions, listFirstFaultOnly } from './validation.ts'
