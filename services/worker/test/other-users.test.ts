import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { aac, h264, make, never, picture, prepare, sound } from './encode-support.ts'

const isRoot = process.getuid?.() === 0
/** Another user of the machine, where we may become one; else ourselves, without what only we know. */
const stranger = isRoot ? { uid: 65_534, gid: 65_534 } : {}

/**
 * What a stranger tries while an encode runs: prints how many bytes he got of what. `/proc/self` on ffmpeg's command line
 * are its own descriptors, read as such; here it would be ours, among them pipes that never end.
 */
const attack = `
const { readFileSync, readdirSync } = require('node:fs')
const { request } = require('node:http')
const read = (path) => { try { return readFileSync(path, 'latin1') } catch { return '' } }
const parent = process.argv[1]
const programs = readdirSync('/proc').filter((pid) => read('/proc/' + pid + '/status').includes('PPid:\\t' + parent + '\\n'))
const lines = programs.map((pid) => read('/proc/' + pid + '/cmdline').split('\\0'))
const ffmpeg = lines.findIndex((words) => words.some((word) => /ff(mpeg|probe)$/.test(word)))
const words = lines[ffmpeg] ?? []
const environ = read('/proc/' + programs[ffmpeg] + '/environ')
const descriptors = [3, 4].map((fd) => read('/proc/' + programs[ffmpeg] + '/fd/' + fd)).join('')
const files = words.filter((word) => word.startsWith('/') && !/ff(mpeg|probe)$|^\\/proc\\/self/.test(word)).map(read).join('')
const urls = words.filter((word) => word.startsWith('http:'))
const ports = read('/proc/net/tcp').split('\\n').filter((line) => / 0100007F:\\w+ \\w+:\\w+ 0A /.test(line))
  .map((line) => parseInt(line.trim().split(/\\s+/)[1].split(':')[1], 16))
const fetchBy = (port, path, headers) => new Promise((resolve) => {
  const asked = request({ port, path, headers, host: '127.0.0.1', timeout: 2000 }, (response) => {
    let text = ''
    response.setEncoding('latin1')
    response.on('data', (part) => { text += part }).on('close', () => resolve(text))
  })
  asked.on('error', () => resolve('')).on('timeout', () => asked.destroy()).end()
})
const tries = [...urls, ...urls.map((url) => new URL(url).pathname)].flatMap((path) => [
  [path, {}], [path, { 'proxy-authorization': 'Basic d29ya2VyOg==' }], [path, { authorization: 'Basic d29ya2VyOg==' }],
])
Promise.all(ports.flatMap((port) => tries.map(([path, headers]) => fetchBy(port, path, headers)))).then((answers) => {
  const video = answers.filter((text) => text.includes('ftyp')).length
  console.log(JSON.stringify({ running: words.length > 0, tries: answers.length > 0, video, files, environ, descriptors }))
})`

t.test('another user of the machine reads nothing of a recording while it is encoded', async (t) => {
  const file = await make('4k.mp4', ...picture('3840x2160', 2, 10), ...sound(1), ...h264, ...aac)
  const job = await prepare(t, file, 'mp4')
  const { video_id } = await job.upload()
  const stop = new AbortController()
  const encoding = job.encode({ video_id }, { signal: stop.signal })
  encoding.catch(() => {})
  const look = async (): Promise<Record<string, unknown>> => {
    const args = ['-e', attack, String(process.pid)]
    const { stdout } = await promisify(execFile)(process.execPath, args, { ...stranger, cwd: '/', env: {} })
    return JSON.parse(stdout)
  }
  let seen = await look()
  while (!seen.running || !seen.tries) seen = await look()
  t.match(seen, { video: 0, files: '' })
  if (isRoot) t.match(seen, { environ: '', descriptors: '' })
  t.strictSame(await readdir(job.scratchDirectory), [], 'no file has a name')
  stop.abort()
  await encoding.catch(() => {})
  await job.encode({ video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3 }, 'the worker itself reads it')
})
