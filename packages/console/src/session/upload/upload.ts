import { ApiFailure } from '@playtherapy/client'
import { effect, type ReadonlySignal, signal, untracked } from '@preact/signals'
import type { HttpRequest, HttpResponse, Upload as TusUpload } from 'tus-js-client'
import { noteRefusal, refused, token } from '../../account.ts'
import { forgetUpload, markOf, uploadStorage } from './known-upload.ts'
import { createSpeedometer } from './speed.ts'
import { judge, type Refusal, type Waiting } from './verdict.ts'

/** How far an upload is. */
interface UploadState {
  step: 'sending' | 'paused' | 'waiting' | 'done' | 'refused' | 'cancelled'
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
}

/** Seconds until the next attempt; the last one holds for all that follow. */
const pausesSeconds = [1, 2, 4, 8, 15, 30]
/** A connection over which nothing goes for so long is dead, also where nobody has told the browser. */
const silenceMs = 30_000
/** The server joins what came before it answers the last byte. */
const lastAnswerMs = 180_000
const lookMs = 5_000

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
 * Uploads a recording by tus. It goes on through cuts of the network, sleep, restarts of the server and a new sign-in, as long
 * as this page is open, and begins where an earlier page ended that sent the same file.
 */
export function startUpload(endpoint: string, sessionId: number, file: File): Upload {
  const { name, size } = file
  const state = signal<UploadState>({ step: 'sending', file: { name, size }, sent: 0 })
  const speed = createSpeedometer()
  let tus: TusUpload | undefined
  let failures = 0
  let isCreating = false
  let lastChange = performance.now()
  let timer: ReturnType<typeof setTimeout> | undefined
  const isOver = () => ['done', 'refused', 'cancelled'].includes(state.value.step)

  function become(change: Partial<UploadState> & Pick<UploadState, 'step'>) {
    const { file, sent } = state.value
    state.value = { file, sent, ...change }
    if (isOver()) stop()
  }

  function send() {
    clearTimeout(timer)
    speed.reset()
    lastChange = performance.now()
    become({ step: 'sending' })
    if (isCreating || !tus) return
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
      noteRefusal(causingError)
      const verdict = judge(causingError)
      if ('waiting' in verdict) return wait(verdict.waiting, verdict.seconds)
      forgetUpload(sessionId)
      return become({ step: 'refused', ...verdict })
    }
    const readable = await isReadable(file)
    if (state.value.step !== 'sending') return
    if (readable) wait('unreachable')
    else become({ step: 'refused', refusal: 'unreadable' })
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

  async function begin() {
    if (!(await isReadable(file))) return become({ step: 'refused', refusal: 'unreadable' })
    const { Upload } = await import('tus-js-client')
    tus = new Upload(file, {
      endpoint,
      metadata: { filename: name, filetype: file.type },
      fingerprint: async () => markOf(file),
      urlStorage: uploadStorage(sessionId),
      removeFingerprintOnSuccess: true,
      // Attempts are counted here, because they have no end.
      retryDelays: null,
      onBeforeRequest: (request: HttpRequest) => request.setHeader('Authorization', `Bearer ${token.value ?? ''}`),
      // The client would begin anew where a HEAD is refused, and nobody would notice.
      onAfterResponse(_request, response) {
        if (response.getStatus() >= 300) throw failureOf(response)
      },
      // A creation is never broken off, because the server would keep an upload that nobody knows.
      onUploadUrlAvailable() {
        isCreating = false
        if (state.value.step === 'paused') tus?.abort()
        if (state.value.step === 'cancelled') end()
      },
      onProgress: show,
      onError: (error) => void fail(error),
      onSuccess: () => become({ step: 'done', sent: size }),
    })
    const [previous] = await tus.findPreviousUploads()
    if (previous) tus.resumeFromPreviousUpload(previous)
    if (state.value.step === 'sending') send()
  }

  const end = () => {
    tus?.abort()
    if (tus?.url) discardUpload(sessionId, tus.url)
  }
  const goOnAtOnce = () => state.value.step === 'waiting' && send()
  addEventListener('online', goOnAtOnce)
  const forgetToken = effect(() => {
    if (token.value && !refused.value && state.peek().waiting === 'signedOut') untracked(send)
  })
  const look = setInterval(() => {
    const { step, sent } = state.value
    if (step !== 'sending' || performance.now() - lastChange < (sent < size ? silenceMs : lastAnswerMs)) return
    if (tus?.url) tus.abort().then(send)
  }, lookMs)

  function stop() {
    clearTimeout(timer)
    clearInterval(look)
    forgetToken()
    removeEventListener('online', goOnAtOnce)
  }

  void begin().catch(() => become({ step: 'refused', refusal: 'unknown' }))
  return {
    state,
    pause() {
      clearTimeout(timer)
      become({ step: 'paused' })
      if (tus?.url) tus.abort()
    },
    goOn: send,
    cancel() {
      become({ step: 'cancelled' })
      if (!isCreating) end()
    },
  }
}

/** Removes an unfinished upload from the server and from this browser. Where the server cannot be reached, it ends there after a day. */
export function discardUpload(sessionId: number, url: string): void {
  forgetUpload(sessionId)
  const headers = { Authorization: `Bearer ${token.value ?? ''}`, 'Tus-Resumable': '1.0.0' }
  fetch(url, { method: 'DELETE', headers }).catch(() => {})
}
