/** The name that a response gives to its file by `Content-Disposition` (RFC 6266, RFC 8187); undefined if it gives none. */
export function fileNameOf({ headers }: Response): string | undefined {
  const disposition = headers.get('content-disposition') ?? ''
  const [, extended] = /filename\*=UTF-8''([^;]+)/i.exec(disposition) ?? []
  try {
    if (extended) return decodeURIComponent(extended)
  } catch {
    // Its percent signs are broken, as a proxy may leave them.
  }
  const [, quoted, plain] = /filename=(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(disposition) ?? []
  return quoted?.replace(/\\(.)/g, '$1') ?? plain
}
