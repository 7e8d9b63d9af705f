/** Whether a connection is encrypted, and for whom the certificate of the server must be; Node.js names it `host` (tls.connect). */
export interface Tls {
  /** The address without `sslmode`. */
  url: string
  ssl: false | { host?: string }
}

/**
 * Reads `sslmode` of a postgres:// URL, or else PGSSLMODE or PGSSL of the environment, each of which one of our two drivers would read
 * by itself. Each value but `disable` demands TLS, with a certificate for the host of this URL from an
 * authority that Node.js trusts, such as those in NODE_EXTRA_CA_CERTS. They read it in different ways: `require` verifies
 * nothing with postgres.js and everything with pg, and both compare the certificate of an IP address with `localhost`.
 */
export function tlsOf(address: string): Tls {
  const mode = /[?&]sslmode=([^&#]*)/.exec(address)?.[1] || process.env.PGSSLMODE || process.env.PGSSL
  const url = address.replace(/([?&])sslmode=[^&#]*(?:&|(?=#|$))/, '$1')
  if (!mode || mode === 'disable') return { url, ssl: false }
  // Several hosts are no valid URL; each is then known by its name.
  if (!URL.canParse(address)) return { url, ssl: {} }
  return { url, ssl: { host: new URL(address).hostname.replace(/^\[|\]$/g, '') } }
}
