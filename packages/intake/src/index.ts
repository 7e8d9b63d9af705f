export {
  EmptyError,
  NotAVideoError,
  SessionGoneError,
  StaleVersionError,
  StoreFailedError,
  TooLargeError,
  TooManyUrlsError,
} from './errors.ts'
export { announceOriginal, issuePresigned } from './presigned.ts'
export { type IntakeResources, receiveOriginal } from './receive-original.ts'
export { reportSteps } from './report-steps.ts'
export { saveVersion, type VersionSteps } from './save-version.ts'
export { type NewScript, type ScriptStanding, scriptStanding, scriptSteps } from './script-steps.ts'
