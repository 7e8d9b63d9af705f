export { EmptyError, NotAVideoError, SessionGoneError, StoreFailedError, TooLargeError } from './errors.ts'
export { announceOriginal, issuePresigned } from './presigned.ts'
export { type IntakeResources, type ReceivedOriginal, receiveOriginal } from './receive-original.ts'
export { saveVersion, type VersionSteps } from './save-version.ts'
