import { inSpan } from '@playtherapy/tracing'

/**
 * Gives one request to S3 a span, if there is a current one. It holds the operation, and neither bucket nor key. Which errors it shows as
 * failures, `isFailure` says.
 */
export const s3Span = <T>(
  operation: string,
  request: () => Promise<T>,
  isFailure?: (error: unknown) => boolean,
): Promise<T> =>
  inSpan(
    {
      name: `S3 ${operation}`,
      kind: 'client',
      attributes: { 'rpc.system': 'aws-api', 'rpc.service': 'S3', 'rpc.method': operation },
    },
    request,
    isFailure,
  )
