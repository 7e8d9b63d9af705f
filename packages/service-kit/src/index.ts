export { CaseParams, guardAccess, guardExistence, guardSession, SessionParams } from './access.ts'
export { auditRequests } from './audit.ts'
export { requireOperator, requireReportWriter, requireTherapist } from './auth.ts'
export { type AuthSettings, secretsIn } from './auth-settings.ts'
export { ConfigError, invalidSettings, loadConfig } from './config.ts'
export { savedAs } from './download.ts'
export { requireEncryption } from './encryption.ts'
export { ApiError, errors, type Fault, fault, mostFaults } from './errors.ts'
export { isKnown, tagsIn } from './etags.ts'
export { checkExact } from './exact-json.ts'
export { createHealthHost } from './health.ts'
export { startHeartbeat } from './heartbeat.ts'
export { inTime } from './in-time.ts'
export { type JsonBounds, parseBody, parseJson } from './json-body.ts'
export { heldBackBytes, sendJsonObject } from './json-object.ts'
export { closeOnSignals, drain } from './lifecycle.ts'
export { LinkParams, type LinkPurpose, type Links, type LinkTarget, playbackPrefix, requireLink } from './links.ts'
export { createLogger } from './log.ts'
export { loggable, reasonOf } from './loggable.ts'
export { createMeter, type Meter } from './metrics.ts'
export { int32, numberText } from './openapi.ts'
export { whenOver } from './over.ts'
export { beginProgram, reach, UsageError } from './program.ts'
export { boundParser, boundRate, leastBytesPerSecond, type Rate } from './rate.ts'
export {
  bodyErrors,
  caseFailures,
  describeErrors,
  failures,
  linkFailures,
  refusals,
  samples,
  sessionFailures,
} from './refusals.ts'
export { type Renewed, renewed } from './renewed.ts'
export * from './settings.ts'
export { createShares, type Shares } from './shares.ts'
export { requireTicket, TicketParams } from './tickets.ts'
export { startTraces } from './traces.ts'
export { ajvOptions, listFirstFaultOnly } from './validation.ts'
export { build } from './version.ts'
export { VideoState, videoStateExample } from './video-state.ts'
