export {
  EmptyError,
  NotAVideoError,
  SessionDeletedError,
  StillAnnouncedError,
  TooLargeError,
  TooManyUrlsError,
  VideoDeletedError,
} from './errors.ts'
export { cleaned } from './file-name.ts'
export { announceOriginal, isAwaited, issuePresigned } from './presigned.ts'
export { type IntakeResources, receiveOriginal } from './receive-original.ts'
export { type Appended, createCompletion } from './tus/append.ts'
export {
  BeyondLengthError,
  ChecksumError,
  OtherLengthError,
  OtherOffsetError,
  TooManyUploadsError,
  UploadExpiredError,
  UploadHeldError,
  UploadMissingError,
  UploadRefusedError,
} from './tus/errors.ts'
export type { Checksum } from './tus/incoming.ts'
export { createTusUploads, type NewUpload, type TusUploads } from './tus/uploads.ts'
