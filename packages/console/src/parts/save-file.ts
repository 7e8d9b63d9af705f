/** Lets the browser download what is at this address as a file. */
export function download(url: string, name: string): void {
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
}

/** Lets the browser save some bytes as a file. */
export function saveFile(bytes: Blob, name: string): void {
  const url = URL.createObjectURL(bytes)
  download(url, name)
  // A browser may begin to read the file only after this task.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
