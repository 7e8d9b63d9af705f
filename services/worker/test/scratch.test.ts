import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openScratchFile, prepareScratch, sweepScratch } from '../src/ffmpeg/scratch.ts'

async function scratch(t: Test) {
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-scratch-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'scratch')
}

const aMinuteAgo = new Date(Date.now() - 61_000)

t.test('what dead workers of any release left goes, what is leased or not ours stays', async (t) => {
  const folder = await scratch(t)
  await mkdir(join(folder, 'encode-7-old'), { recursive: true })
  for (const name of ['encode-7-old/rendition.mp4', 'encode-dead', 'encode-leased', 'other']) {
    await writeFile(join(folder, name), 'a child')
  }
  for (const name of ['encode-7-old', 'encode-dead', 'other']) await utimes(join(folder, name), aMinuteAgo, aMinuteAgo)
  await sweepScratch(folder)
  t.strictSame((await readdir(folder)).sort(), ['encode-leased', 'other'])
})

t.test('nobody else may exchange files in the folder, and what was in it stays readable', async (t) => {
  const folder = await scratch(t)
  await mkdir(folder)
  await chmod(folder, 0o777)
  await prepareScratch(folder)
  t.equal((await stat(folder)).mode & 0o7777, 0o755)
  const file = await openScratchFile(folder)
  t.equal((await file.handle.stat()).mode & 0o777, 0o600)
  await file.close()
  t.strictSame(await readdir(folder), [])
  await chmod(folder, 0o1777)
  await prepareScratch(folder)
  t.equal((await stat(folder)).mode & 0o7777, 0o1777, 'as /tmp: each removes only his own')
  await rm(folder, { recursive: true })
  await prepareScratch(folder)
  t.equal((await stat(folder)).mode & 0o7777, 0o700)
})

const skip = process.getuid?.() === 0 ? false : 'only root can make a folder of another user'

t.test('a folder of another user is refused', { skip }, async (t) => {
  const folder = await scratch(t)
  await prepareScratch(folder)
  await chown(folder, 65_534, 65_534)
  await t.rejects(prepareScratch(folder), { message: 'SCRATCH_DIRECTORY belongs to another user' })
})
