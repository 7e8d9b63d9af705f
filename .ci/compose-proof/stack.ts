/** The stack of docker-compose.yml: its containers, what they use, and how they die. */
import { execFile, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Container {
  name: string
  id: string
  pid: number
  running: boolean
  healthy: boolean
  outOfMemory: boolean
  restarts: number
}

export function openStack(project: string, envFile: string, directory: string) {
  const about = ['--project-name', project, '--env-file', envFile, '--project-directory', directory]
  const options = { maxBuffer: 256 * 1024 ** 2, cwd: directory }
  const docker = async (...args: string[]) => (await run('docker', args, options)).stdout
  const compose = async (...args: string[]) => (await run('docker-compose', [...about, ...args], options)).stdout

  /** A command with a file for its input or its output, as an operator writes it with < and >. */
  function withFile(direction: '<' | '>', file: string, program: 'docker' | 'docker-compose', ...args: string[]) {
    const handle = openSync(file, direction === '<' ? 'r' : 'w')
    const all = program === 'docker' ? args : [...about, ...args]
    const child = spawn(program, all, {
      cwd: directory,
      stdio: direction === '<' ? [handle, 'ignore', 'inherit'] : ['ignore', handle, 'inherit'],
    })
    return new Promise<void>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => {
        closeSync(handle)
        if (code === 0) resolve()
        else reject(new Error(`${program} ${args.join(' ')} ended with ${code}`))
      })
    })
  }

  /** The containers of a service, or all; those that have ended too. */
  async function containers(service?: string): Promise<Container[]> {
    const filters = [`label=com.docker.compose.project=${project}`]
    if (service) filters.push(`label=com.docker.compose.service=${service}`)
    const ids = await docker('ps', '-aq', ...filters.flatMap((filter) => ['--filter', filter]))
    if (ids === '') return []
    const format =
      '{{.Name}} {{.Id}} {{.State.Pid}} {{.State.Running}} {{.State.OOMKilled}} {{.RestartCount}} {{json .State}}'
    const lines = (await docker('inspect', '--format', format, ...ids.trim().split('\n'))).trim().split('\n')
    return lines.map((line) => {
      const [name = '', id = '', pid, running, outOfMemory, restarts, ...state] = line.split(' ')
      return {
        name: name.replace('/', ''),
        id,
        pid: Number(pid),
        running: running === 'true',
        healthy: state.join(' ').includes('"Status":"healthy"'),
        outOfMemory: outOfMemory === 'true',
        restarts: Number(restarts),
      }
    })
  }

  return {
    docker,
    compose,
    withFile,
    containers,

    /** What Compose has to say about the file besides its settings; empty when it is content. */
    warnings: async () => (await run('docker-compose', [...about, 'config'], options)).stderr,

    /** Replaces every container of ours as the operating notes say. */
    async replace(): Promise<void> {
      const env = { ...process.env, COMPOSE: ['docker-compose', ...about].join(' ') }
      await run('.docker/replace.sh', [], { ...options, env })
    },

    /** Bytes that a service's processes have written to a disk since they started. */
    async written(service: string): Promise<number> {
      let bytes = 0
      for (const { id } of await containers(service)) {
        const pids = (await docker('top', id, '-o', 'pid')).match(/\d+/g) ?? []
        if (pids.length === 0) throw new Error(`${service} has no process`)
        for (const pid of pids)
          bytes += Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1])
      }
      return bytes
    },

    /** Kills a service's first container from outside, as the kernel would: its restart policy has to bring it back. */
    async kill(service: string): Promise<void> {
      const [first] = await containers(service)
      if (!first?.running) throw new Error(`no ${service} runs`)
      process.kill(first.pid, 'SIGKILL')
    },

    /** Waits until every container of a service runs and is healthy. */
    async healthy(service: string, seconds = 120): Promise<void> {
      for (const deadline = Date.now() + seconds * 1000; Date.now() < deadline; await sleep(500)) {
        const all = await containers(service)
        if (all.length > 0 && all.every(({ running, healthy }) => running && healthy)) return
      }
      throw new Error(`${service} is not healthy after ${seconds} s`)
    },

    /** Follows what every container uses. `peaks()` answers the most bytes that each was seen to hold, by name. */
    watchMemory() {
      const peaks = new Map<string, number>()
      const line = new RegExp(`(${project}[\\w-]+) ([\\d.]+)([KMG]?i?B) /`, 'g')
      const child = spawn('docker', ['stats', '--format', '{{.Name}} {{.MemUsage}}'], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        for (const [, name = '', number, unit = ''] of text.matchAll(line)) {
          const bytes = Number(number) * 1024 ** ['B', 'KiB', 'MiB', 'GiB'].indexOf(unit)
          peaks.set(name, Math.max(peaks.get(name) ?? 0, bytes))
        }
      })
      return { peaks: () => peaks, stop: () => child.kill() }
    },
  }
}

export type Stack = ReturnType<typeof openStack>
