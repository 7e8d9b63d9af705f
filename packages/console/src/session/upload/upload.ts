import { ApiFailure, tusOptions } from '@playtherapy/client'
import { effect, type ReadonlySignal, signal, untracked } from '@preact/signals'
import type { HttpResponse, Upload as TusUpload } from 'tus-js-client'
import { noteRefusal, token, tokenOf, tokenRefusal, userId } from '../../account.ts'
import { loadTus, pageFault } from '../../late-parts.ts'
import { discardUpload } from './discard.ts'
import { forgetUpload, knownUpload, markOf, uploadStorage } from './known-upload.ts'
import { createSpeedometer } from './speed.ts'
import { takeTurn } from './turn.ts'
import { judge, type Refusal, type Waiting } from './verdict.ts'

/** How far an upload is. */
interface UploadState {
  step: 'sending' | 'paused' | 'waiting' | 'done' | 'refused' | 'cancelled' | 'interrupted'
  file: { name: string; size: number }
  sent: number
  bytesPerSecond?: number
  /** Why it waits, in the step `waiting`; it goes on by itself. */
  waiting?: Waiting
  /** Why it has ended, in the step `refused`. */
  refusal?: Refusal
  /** The most bytes of a recording, if it is too large. */
  most?: number
}

export interface Upload {
  state: ReadonlySignal<UploadState>
  pause(): void
  goOn(): void
  /** Ends it here and on the server. */
  cancel(): void
  /** Ends it here. It can be continued with the same file. */
  interrupt(): void
}

/** Seconds until the next attempt; the last one holds for all that follow. */
const pausesSeconds = [1, 2, 4, 8, 15, 30]
/** A connection over which nothing goes for so long is dead, also where nobody has told the browser. */
const silenceMs = 30_000
/** The server joins what came before it answers the last byte. A creation gets as much time. */
const lastAnswerMs = 180_000
const lookMs = 5_000
/** Where a proxy bounds the bytes of a request (413), the file is sent in parts of these lengths, one after the other. */
const partBytes = [64 * 2 ** 20, 8 * 2 ** 20, 2 ** 19]

function failureOf(response: HttpResponse): ApiFailure {
  const headers = { 'retry-after': response.getHeader('Retry-After') ?? '' }
  let body: unknown
  try {
    body = JSON.parse(response.getBody())
  } catch {
    // A gateway has answered, or it was a HEAD.
  }
  return new ApiFailure(new Response(null, { status: response.getStatus(), headers }), body)
}

/** A file that was changed or removed since it was chosen cannot be read any more; a request with it just breaks. */
const isReadable = async (file: File) => {
  const [first] = await Promise.all([file.slice(0, 1).arrayBuffer(), file.slice(-1).arrayBuffer()]).catch(() => [])
  return first !== undefined
}

/**
 * Uploads a recording by tus, in the name of who is signed in. It goes on through cuts of the network, sleep, restarts of the server
 * and a new sign-in, as long as this page is open, and begins where an earlier page ended that sent the same file.
 */
export function startUpload(ids: { caseId: number; sessionId: number }, file: File): Upload {
  const { sessionId } = ids
  const { name, size } = file
  const owner = userId.peek()
  const state = signal<UploadState>({ step: 'sending', file: { name, size }, sent: 0 })
  const speed = createSpeedometer()
  const over = new AbortController()
  let tus: TusUpload | undefined
  let sentToken = ''
  let failures = 0
  let isPreparing = false
  let isCreating = false
  let lastChange = performance.now()
  let timer: ReturnType<typeof setTimeout> | undefined

  function become(change: Partial<UploadState> & Pick<UploadState, 'step'>) {
    const { file, sent } = state.value
    state.value = { file, sent, ...change }
    if (!['sending', 'paused', 'waiting'].includes(change.step)) stop()
  }

  function send() {
    if (over.signal.aborted) return
    clearTimeout(timer)
    speed.reset()
    lastChange = performance.now()
    become({ step: 'sending' })
    if (!tus) return void prepare()
    if (isCreating) return
    isCreating = tus.url === null
    tus.start()
  }

  function wait(waiting: Waiting, seconds = pausesSeconds[Math.min(failures, pausesSeconds.length - 1)] ?? 30) {
    failures += 1
    become({ step: 'waiting', waiting: navigator.onLine ? waiting : 'offline' })
    clearTimeout(timer)
    timer = setTimeout(send, seconds * 1000)
  }

  async function fail(error: Error) {
    isCreating = false
    if (state.value.step !== 'sending') return
    const { causingError } = Object(error)
    if (causingError instanceof ApiFailure) {
      if (causingError.status === 401) noteRefusal(sentToken)
      const verdict = judge(causingError)
      // The services name their bound; a proxy does not, and means the request, not the file.
      if ('refusal' in verdict && verdict.refusal === 'tooLarge' && verdict.most === undefined && sendInParts()) return
      if ('waiting' in verdict) return wait(verdict.waiting, verdict.seconds)
      forgetUpload(sessionId)
      return become({ step: 'refused', ...verdict })
    }
    const readable = await isReadable(file)
    if (state.value.step !== 'sending') return
    if (readable) wait('unreachable')
    else become({ step: 'refused', refusal: 'unreadable' })
  }

  /** Sends the rest in smaller requests; false where they are small already. */
  function sendInParts(): boolean {
    const { chunkSize = Number.POSITIVE_INFINITY } = tus?.options ?? {}
    const smaller = partBytes.find((bytes) => bytes < Math.min(chunkSize, size))
    if (!tus || smaller === undefined) return false
    tus.options.chunkSize = smaller
    send()
    return true
  }

  function show(sent: number) {
    if (sent > state.value.sent) {
      lastChange = performance.now()
      failures = 0
    }
    const bytesPerSecond = speed.add(sent)
    if (state.value.step !== 'sending') return
    state.value = {
      step: 'sending',
      file: state.value.file,
      sent,
      ...(bytesPerSecond !== undefined && { bytesPerSecond }),
    }
  }

  async function makeTus() {
    const { Upload } = await loadTus()
    const bearer = () => {
      sentToken = tokenOf(owner)
      return sentToken
    }
    const made = new Upload(file, {
      ...tusOptions({ url: location.origin, token: bearer }, { case_id: ids.caseId, session_id: sessionId }, name),
      fingerprint: async () => markOf(file),
      urlStorage: uploadStorage(sessionId),
      // Attempts are counted here, because they have no end.
      retryDelays: null,
      // The client would begin anew where a HEAD is refused, and nobody would notice.
      onAfterResponse(_request, response) {
        if (response.getStatus() >= 300) throw failureOf(response)
      },
      // A creation is not broken off before its deadline, because the server would keep an upload that nobody knows.
      onUploadUrlAvailable() {
        isCreating = false
        const { step } = state.value
        if (step === 'paused' || step === 'interrupted') made.abort()
        if (step === 'cancelled') end()
      },
      onProgress: show,
      onError: (error) => void fail(error),
      onSuccess: () => become({ step: 'done', sent: size }),
    })
    const [previous] = await made.findPreviousUploads()
    if (previous) made.resumeFromPreviousUpload(previous)
    return made
  }

  /** Makes what sends the file, and begins, unless it was paused meanwhile. */
  async function prepare() {
    if (isPreparing) return
    isPreparing = true
    try {
      if (!(await isReadable(file))) return become({ step: 'refused', refusal: 'unreadable' })
      tus = await makeTus()
      if (state.value.step === 'sending') send()
      if (state.value.step === 'cancelled') end()
    } catch {
      if (state.value.step === 'sending') wait(pageFault.peek() ?? 'unreachable')
    } finally {
      isPreparing = false
    }
  }

  async function begin() {
    if (!(await takeTurn(sessionId, over.signal))) return become({ step: 'refused', refusal: 'otherTab' })
    // Only now is it sure that no other tab sends the file whose place this one takes.
    const known = knownUpload(sessionId)
    if (known && known.mark !== markOf(file) && !over.signal.aborted) void discardUpload(ids, known.url)
    return prepare()
  }

  function end() {
    // What is still sent ends first.
    if (tus?.url) void Promise.all([tus.url, tus.abort()]).then(([url]) => discardUpload(ids, url))
  }
  addEventListener('online', () => state.value.step === 'waiting' && send(), { signal: over.signal })
  const awaitToken = effect(() => {
    if (token.value && !tokenRefusal.value && state.peek().waiting === 'signedOut') untracked(send)
  })
  const look = setInterval(() => {
    const { step, sent } = state.value
    const mostMs = !isCreating && sent < size ? silenceMs : lastAnswerMs
    if (step !== 'sending' || !tus || performance.now() - lastChange < mostMs) return
    // What a creation without an answer may have left on the server ends there after a day.
    isCreating = false
    void tus.abort().then(send)
  }, lookMs)

  function stop() {
    over.abort()
    clearTimeout(timer)
    clearInterval(look)
    awaitToken()
  }

  /** Stops sending, but for a creation. */
  function stopSending(step: 'paused' | 'interrupted') {
    clearTimeout(timer)
    become({ step })
    if (tus?.url) void tus.abort()
  }

  void begin()
  return {
    state,
    pause: () => stopSending('paused'),
    goOn: send,
    cancel() {
      become({ step: 'cancelled' })
      if (!isCreating) end()
    },
    interrupt: () => stopSending('interrupted'),
  }
}
