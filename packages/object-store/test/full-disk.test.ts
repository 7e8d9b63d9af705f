import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createFileStore } from '../src/index.ts'

async function folder(t: Test) {
  const directory = await mkdtemp(join(tmpdir(), 'playtherapy-full-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

t.test('a check of a folder with room succeeds, and leaves nothing in it', async (t) => {
  const directory = await folder(t)
  const store = createFileStore({ directory })
  await Promise.all([store.check(), store.check(), store.check()])
  t.strictSame(await readdir(directory, { recursive: true }), ['.unfinished'])
})

const skip = process.getuid?.() === 0 ? false : 'only root mounts a small disk'
t.test('a check of a folder on a full disk fails', { skip }, async (t) => {
  const disks = {
    'less room than a recording takes': ['size=32m', /the disk is full/],
    'no room for another file': ['size=128m,nr_inodes=2', /ENOSPC/],
    'nothing may be written': ['size=128m,mode=700,ro', /EROFS|ENOENT/],
  } as const
  for (const [what, [options, message]] of Object.entries(disks)) {
    const directory = await folder(t)
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory])
    try {
      await t.rejects(createFileStore({ directory }).check(), message, what)
    } finally {
      execFileSync('umount', [directory])
    }
  }
})
