/** Request headers that pages of other origins may send to us and to the bucket, in CORS: those of players and clients. */
export const requestHeaders = [
  'Accept',
  'Authorization',
  'Cache-Control',
  'Content-Type',
  'Idempotency-Key',
  'If-Match',
  'If-Modified-Since',
  'If-None-Match',
  'If-Range',
  'If-Unmodified-Since',
  'Pragma',
  'Range',
  'Traceparent',
  'Tracestate',
  'Tus-Resumable',
  'Upload-Checksum',
  'Upload-Concat',
  'Upload-Defer-Length',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Offset',
  'X-HTTP-Method-Override',
  'X-Request-Id',
  'X-Requested-With',
]

/** Response headers that these pages may read, of us and of the bucket. */
export const responseHeaders = ['Accept-Ranges', 'Content-Length', 'Content-Range', 'ETag', 'Retry-After']
