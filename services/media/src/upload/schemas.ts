import { Type } from 'typebox'

export const UploadForm = Type.Object(
  { file: Type.String({ format: 'binary', description: 'MP4, QuickTime, Matroska, WebM or MPEG-TS' }) },
  { title: 'UploadForm', examples: [{ file: '(the file)' }] },
)

export const Uploaded = Type.Object(
  { msg: Type.String() },
  { title: 'Uploaded', examples: [{ msg: 's3 upload start!' }] },
)

export const Presigned = Type.Object(
  {
    presigned_url: Type.String({
      description: 'For one PUT of the file with Content-Type video/mp4, to be started within an hour',
    }),
    file_path: Type.String({ description: 'To be sent as origin_video_url once the PUT has returned 200' }),
  },
  {
    title: 'PresignedUpload',
    examples: [
      {
        presigned_url:
          'https://files.clinic.example/playtherapy/video/RELEASE/12/9/31-6f0c2d5be1a94378b1d06e5f2c7a9d34.mp4?X-Amz-Signature=…',
        file_path: 'RELEASE/12/9/31-6f0c2d5be1a94378b1d06e5f2c7a9d34.mp4',
      },
    ],
  },
)
