/** The name that a response gives to its file by `Content-Disposition` (RFC 6266, RFC 8187); undefined if it gives none. */
export function fileNameOf({ headers }: Response): string | undefined {
  const disposition = headers.get('content-disposition') ?? ''
  const [, extended] = /filename\*=UTF-8''([^;]+)/i.exec(disposition) ?? []
  if (extended) return decodeURIComponent(extended)
  const [, quoted, plain] = /filename=(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(disposition) ?? []
  return quoted?.replace(/\\(.)/g, '$1') ?? plain
}
