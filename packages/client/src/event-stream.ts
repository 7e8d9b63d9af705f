/** One block of a stream of server-sent events. */
export interface StreamBlock {
  /** Empty if the block is not an event. */
  event: string
  data: string
  id: string | undefined
  /** Milliseconds to wait before the next connection. */
  retry: number | undefined
}

/**
 * Reads the blocks of a stream of server-sent events (WHATWG HTML, section 9.2) until it ends. `onBytes` is called whenever
 * bytes arrive, also those of comments.
 */
export async function* readBlocks(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void = () => {},
): AsyncGenerator<StreamBlock> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      onBytes()
      text += decoder.decode(value, { stream: true })
      // A CR at the end may be the first half of a CRLF.
      const whole = text.endsWith('\r') ? text.slice(0, -1) : text
      const blocks = whole.replace(/\r\n?/g, '\n').split('\n\n')
      text = (blocks.pop() ?? '') + text.slice(whole.length)
      for (const block of blocks) yield blockOf(block)
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}

function blockOf(text: string): StreamBlock {
  const fields = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [, name = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? []
    fields.set(name, name === 'data' && fields.has(name) ? `${fields.get(name)}\n${value}` : value)
  }
  const retry = Number(fields.get('retry') ?? Number.NaN)
  return {
    event: fields.get('event') ?? '',
    data: fields.get('data') ?? '',
    id: fields.get('id'),
    retry: Number.isFinite(retry) ? retry : undefined,
  }
}
