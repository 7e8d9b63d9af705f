export {
  EmptyError,
  NotAVideoError,
  SessionDeletedError,
  StillAnnouncedError,
  TooLargeError,
  TooManyUrlsError,
  VideoDeletedError,
} from './errors.ts'
export { announceOriginal, issuePresigned } from './presigned.ts'
export { type IntakeResources, receiveOriginal } from './receive-original.ts'
