const untrusted =
  'its certificate is from an authority that is not trusted here: name the file of its certificate in NODE_EXTRA_CA_CERTS'

/**
 * What operators should know about a code, in words that continue "… cannot be used: ". Sources: errno(3), Node's manual
 * (errors, tls), PostgreSQL's manual, appendix A, Amazon S3's error responses, and Redis.
 */
const reasons: Record<string, string> = {
  // The network.
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it closed the connection',
  EPIPE: 'it closed the connection',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name could not be looked up',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  ETIMEDOUT: 'it does not answer',
  CONNECT_TIMEOUT: 'it does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  TimeoutError: 'it does not answer',
  CONNECTION_CLOSED: 'it closed the connection, or sent nothing for too long',
  EADDRINUSE: 'another process listens on that port',
  EADDRNOTAVAIL: 'this machine does not have that address',
  ERR_INVALID_URL: 'its address in the settings is not a valid URL',
  // TLS.
  EPROTO: 'it does not speak TLS there, or no version that both know',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS there, or no version that both know',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'its certificate is for another host name: use one of its names in the address, or a certificate for this one',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'its certificate is self-signed and not trusted here: name its file in NODE_EXTRA_CA_CERTS',
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  CERT_SIGNATURE_FAILURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  // Files.
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'this user has no permission',
  EPERM: 'this user has no permission',
  EROFS: 'the file system is read-only',
  ENOENT: 'a file or folder is missing',
  ENOTDIR: 'a part of the path is no folder',
  EIO: 'the disk cannot be read or written',
  EMFILE: 'this process has too many open files',
  // PostgreSQL.
  '28P01': 'the user name or password is refused',
  '28000': 'the user is refused',
  '3D000': 'the database does not exist',
  '42P01': 'a table is missing, so the database is not migrated: run migrate',
  '42703': 'a column is missing, so the database is not migrated: run migrate',
  '42501': 'this user has no permission',
  '25006': 'the database takes no writes',
  '53100': 'the disk of the database is full',
  '53200': 'the database has no memory left',
  '53300': 'the database has no connection left',
  '57P01': 'the database is shutting down',
  '57P02': 'the database has crashed and starts again',
  '57P03': 'the database is starting up',
  '57014': 'a statement took too long',
  '55P03': 'another transaction holds a lock for too long: end it, if it is not ours, and repeat this',
  '40P01': 'another transaction waited for this one: repeat this',
  // S3.
  SignatureDoesNotMatch: 'the signature does not match, so the secret key is not that of the access key',
  InvalidAccessKeyId: 'the access key is not known there',
  AccessDenied: 'the access key has no permission',
  NoSuchBucket: 'the bucket does not exist',
  InvalidBucketName: 'the name of the bucket is not valid',
  RequestTimeTooSkewed: 'the clocks of both machines differ too much',
  PermanentRedirect: 'the bucket is in another region',
  AuthorizationHeaderMalformed: 'the region is not that of the bucket',
  QuotaExceeded: 'the quota of the bucket is used up',
  // Redis.
  NOAUTH: 'it asks for a password',
  WRONGPASS: 'the user name or password is refused',
  NOPERM: 'the user has no permission',
  OOM: 'its memory is full',
  MISCONF: 'it cannot write to its disk',
  READONLY: 'it takes no writes, because it is a replica',
  LOADING: 'it is starting up',
  CLUSTERDOWN: 'its cluster is down',
}

/** The words for a code or the name of an error; undefined when there are none. */
export const wordsFor = (code: string): string | undefined => (Object.hasOwn(reasons, code) ? reasons[code] : undefined)
