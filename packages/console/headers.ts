/** What the page may load: only its own files, and what the services of its origin send. No code or style stands in it. */
const consolePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  // Players make a blob of what they have loaded.
  "media-src 'self' blob:",
  "img-src 'self' data: blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const types: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  txt: 'text/plain; charset=utf-8',
}

/** A name with a hash of what is in the file, which never changes. */
const hashed = /-[A-Z0-9]{8}\.(js|css)$/

/** Headers of a file of the page. A browser may keep all but `index.html` and the notices, which have no hash in their names. */
export const consoleHeaders = (name: string) => ({
  'content-type': types[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream',
  'cache-control': hashed.test(name) ? 'public, max-age=31536000, immutable' : 'no-cache',
  'content-security-policy': consolePolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  // A page that opens this one, or is opened by it, cannot reach into it, and no other page can use its files.
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
})
