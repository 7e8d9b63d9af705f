/** The Kustomize base in `.docker/kubernetes`: valid for the APIs, and true to the processes and limits that Compose has. */
import { execFile } from 'node:child_process'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ContentsConfig } from '@playtherapy/contents/config'
import { jobNames } from '@playtherapy/jobs'
import { MediaConfig } from '@playtherapy/media/config'
import { ScriptConfig } from '@playtherapy/script/config'
import { StoreSettings } from '@playtherapy/service-kit'
import { WorkerConfig } from '@playtherapy/worker/config'
import t from 'tap'
import { type TObject, Type } from 'typebox'
import { Value } from 'typebox/value'
import { parse, parseAllDocuments } from 'yaml'
import manifest from '../../../package.json' with { type: 'json' }
import { faultOf, isKind, unknownNames } from './kubernetes-models.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../../', import.meta.url))
const folder = join(root, '.docker/kubernetes')
const read = (name: string) => readFile(join(folder, name), 'utf8')

const processes: Record<string, TObject> = {
  contents: ContentsConfig,
  media: MediaConfig,
  script: ScriptConfig,
  worker: Type.Object({ ...WorkerConfig.properties, ...StoreSettings }),
}

const Kustomization = Type.Object({
  resources: Type.Array(Type.String()),
  configMapGenerator: Type.Array(Type.Object({ name: Type.String() })),
  images: Type.Array(Type.Object({ name: Type.String(), newTag: Type.String() })),
})
const Named = Type.Object({ kind: Type.String(), metadata: Type.Object({ name: Type.String() }) })
const Labels = Type.Record(Type.String(), Type.String())
const Seconds = Type.Object({ seconds: Type.Number() })
const Probe = Type.Object({ httpGet: Type.Object({ path: Type.String(), port: Type.Literal('http') }) })
const Container = Type.Object({
  name: Type.String(),
  image: Type.String(),
  args: Type.Optional(Type.Array(Type.String())),
  ports: Type.Optional(Type.Array(Type.Object({ name: Type.Literal('http'), containerPort: Type.Number() }))),
  envFrom: Type.Array(
    Type.Object({
      configMapRef: Type.Optional(Type.Object({ name: Type.String() })),
      secretRef: Type.Optional(Type.Object({ name: Type.String() })),
    }),
  ),
  resources: Type.Object({ limits: Type.Object({ cpu: Type.Optional(Type.String()), memory: Type.String() }) }),
  livenessProbe: Type.Optional(Probe),
  readinessProbe: Type.Optional(Probe),
  lifecycle: Type.Optional(Type.Object({ preStop: Type.Object({ sleep: Seconds }) })),
})
const Pods = Type.Object({
  kind: Type.String(),
  metadata: Type.Object({ name: Type.String() }),
  spec: Type.Object({
    replicas: Type.Optional(Type.Number()),
    template: Type.Object({
      metadata: Type.Object({ labels: Labels }),
      spec: Type.Object({
        terminationGracePeriodSeconds: Type.Optional(Type.Number()),
        containers: Type.Tuple([Container]),
      }),
    }),
  }),
})
const Budget = Type.Object({
  metadata: Type.Object({ name: Type.String() }),
  spec: Type.Object({
    minAvailable: Type.Optional(Type.Unknown()),
    maxUnavailable: Type.Number(),
    selector: Type.Object({ matchLabels: Labels }),
  }),
})
const Scaler = Type.Object({ spec: Type.Object({ scaleTargetRef: Type.Object({ name: Type.String() }) }) })
const Compose = Type.Object({
  services: Type.Record(
    Type.String(),
    Type.Object({ mem_limit: Type.Optional(Type.String()), cpus: Type.Optional(Type.Number()) }),
  ),
})
const Secret = Type.Object({ metadata: Type.Object({ name: Type.String() }), stringData: Labels })

const documents = async (name: string) => parseAllDocuments(await read(name)).map((each): unknown => each.toJS())
const kustomization = Value.Parse(Kustomization, parse(await read('kustomization.yaml')))
const objects = (await Promise.all(kustomization.resources.map(documents))).flat()
const ofKind = (...kinds: string[]) => objects.filter((each) => kinds.includes(Value.Parse(Named, each).kind))
const pods = ofKind('Deployment', 'Job').map((each) => Value.Parse(Pods, each))
const { services } = Value.Parse(
  Compose,
  parse(await readFile(join(root, 'docker-compose.yml'), 'utf8'), { merge: true }),
)

const hasDefault = (setting: object | undefined) => setting !== undefined && 'default' in setting
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

t.test('every object is valid for the API of Kubernetes or of KEDA', async (t) => {
  const secrets = await documents('secrets.example.yaml')
  const typed = [...objects, ...secrets].map((object) => {
    const { kind } = Value.Parse(Named, object)
    if (!isKind(kind) || !isObject(object)) throw new Error(`${kind} is not known here`)
    return { kind, object }
  })
  t.ok(typed.length > 25, `${typed.length} objects`)
  for (const { kind, object } of typed) t.equal(faultOf(kind, object), undefined, JSON.stringify(object).slice(0, 80))
  t.equal(await unknownNames(t.testdir({}), typed), '')
})

t.test('what is not valid is found', async (t) => {
  const spec = { selector: {}, template: { spec: { containers: [{ name: 'a', imagePulPolicy: 'Always' }] } } }
  t.match(
    faultOf('Deployment', { metadata: { name: 'a' }, spec: { ...spec, replicas: 'two' } }),
    /replicas must be integer/,
  )
  const misspelt = { kind: 'Deployment' as const, object: { metadata: { name: 'a' }, spec } }
  t.match(await unknownNames(t.testdir({}), [misspelt]), /imagePulPolicy/)
})

t.test('Kustomize builds it', async (t) => {
  const built = await run('kubectl', ['kustomize', folder]).catch(() => undefined)
  if (!built) return t.skip('kubectl is not installed', async () => {})
  const found = parseAllDocuments(built.stdout).map((each) => Value.Parse(Named, each.toJS()))
  t.equal(found.length, objects.length + kustomization.configMapGenerator.length)
  t.match(built.stdout, `image: playtherapy/media:${manifest.version}`)
})

t.test('the images are those of this version', async (t) => {
  const images = new Set(pods.map(({ spec }) => spec.template.spec.containers[0].image))
  t.strictSame(kustomization.images.map(({ name }) => name).toSorted(), [...images].toSorted())
  for (const { name, newTag } of kustomization.images) t.equal(newTag, manifest.version, name)
})

t.test('limits are those of Compose', async (t) => {
  const binary: Record<string, string> = { m: 'Mi', g: 'Gi' }
  for (const { metadata, spec } of pods) {
    const { mem_limit = '', cpus } = services[metadata.name] ?? {}
    const { limits } = spec.template.spec.containers[0].resources
    t.equal(
      limits.memory,
      mem_limit.replace(/[mg]$/, (unit) => binary[unit] ?? ''),
      metadata.name,
    )
    t.equal(limits.cpu, cpus?.toString(), metadata.name)
  }
})

t.test('a process has all settings that it requires, and there are none that nobody reads', async (t) => {
  const settings = [...(await read('settings.env')).matchAll(/^([A-Z]\w*)=/gm)].map(([, name = '']) => name)
  const secrets = new Map(
    (await documents('secrets.example.yaml')).map((each) => {
      const { metadata, stringData } = Value.Parse(Secret, each)
      return [metadata.name, Object.keys(stringData)]
    }),
  )
  const known = Object.values(processes).flatMap(({ properties }) => Object.keys(properties))
  const ofOthers = ['AUDIT_YEARS', 'CONSOLE', 'GATEWAY_TRUSTED_PROXY']
  t.strictSame(
    settings.filter((name) => ![...known, ...ofOthers].includes(name)),
    [],
  )
  for (const { metadata, spec } of pods) {
    const { envFrom } = spec.template.spec.containers[0]
    const given = envFrom.flatMap(({ configMapRef, secretRef }) => {
      t.ok(configMapRef?.name === 'settings' || secrets.has(secretRef?.name ?? ''), `${metadata.name}: known sources`)
      return configMapRef ? settings : (secrets.get(secretRef?.name ?? '') ?? [])
    })
    t.equal(new Set(given).size, given.length, `${metadata.name}: no source hides another's value`)
    const schema = processes[metadata.name]
    if (!schema) continue
    t.strictSame(
      (schema.required ?? []).filter((name) => !given.includes(name) && !hasDefault(schema.properties[name])),
      [],
      metadata.name,
    )
    const secret = secrets.get(metadata.name) ?? []
    t.strictSame(
      secret.filter((name) => !(name in schema.properties)),
      [],
      `${metadata.name} reads its secret`,
    )
  }
  const owner = ['contents', 'media', 'script', 'worker'].map((name) => `${name.toUpperCase()}_DATABASE_URL`)
  t.strictSame(secrets.get('owner'), ['DATABASE_URL', ...owner])
})

t.test('a process has ended before Kubernetes kills it', async (t) => {
  const source = await readFile(join(root, 'packages/service-kit/src/lifecycle.ts'), 'utf8')
  const [, delay = ''] = /\bdelay: ([\d_]+),/.exec(source) ?? []
  const closingSeconds = Number(delay.replaceAll('_', '')) / 1000
  t.ok(closingSeconds > 0, 'it is known how long a process closes')
  for (const { metadata, spec } of pods.filter(({ kind }) => kind === 'Deployment')) {
    const { terminationGracePeriodSeconds = 30, containers } = spec.template.spec
    const pause = containers[0].lifecycle?.preStop.sleep.seconds ?? 0
    t.ok(pause + closingSeconds < terminationGracePeriodSeconds, metadata.name)
    // nginx asks every two seconds, and CoreDNS repeats an answer for five.
    if (metadata.name !== 'worker') t.ok(pause > 7, `${metadata.name} waits until nobody is sent to it`)
  }
})

t.test('probes ask for what there is', async (t) => {
  for (const { metadata, spec } of pods.filter(({ kind }) => kind === 'Deployment')) {
    const { ports, livenessProbe, readinessProbe } = spec.template.spec.containers[0]
    const isGateway = metadata.name === 'gateway'
    t.strictSame(ports, [{ name: 'http', containerPort: 8080 }], metadata.name)
    t.equal(livenessProbe?.httpGet.path, isGateway ? '/health' : '/health/live', metadata.name)
    t.equal(readinessProbe?.httpGet.path, isGateway ? '/health' : '/health/ready', metadata.name)
  }
})

t.test('no budget keeps a node from being drained', async (t) => {
  const deployments = pods.filter(({ kind }) => kind === 'Deployment').map(({ metadata }) => metadata.name)
  const budgets = ofKind('PodDisruptionBudget').map((each) => Value.Parse(Budget, each))
  t.strictSame(budgets.map(({ metadata }) => metadata.name).toSorted(), deployments.toSorted())
  for (const { metadata, spec } of budgets) {
    t.equal(spec.minAvailable, undefined, metadata.name)
    t.equal(spec.maxUnavailable, 1, metadata.name)
    t.strictSame(spec.selector.matchLabels, { app: metadata.name })
  }
})

t.test('where something scales, an `apply` does not set the number back', async (t) => {
  const scaled = ofKind('HorizontalPodAutoscaler', 'ScaledObject').map(
    (each) => Value.Parse(Scaler, each).spec.scaleTargetRef.name,
  )
  t.strictSame(scaled.toSorted(), ['contents', 'media', 'script', 'worker'])
  for (const { kind, metadata, spec } of pods) {
    if (kind === 'Deployment') t.equal(spec.replicas !== undefined, !scaled.includes(metadata.name), metadata.name)
  }
})

t.test('KEDA asks for numbers that every worker tells, of kinds of jobs that there are', async (t) => {
  const metrics = await readFile(join(root, '.docker/observability/metrics.md'), 'utf8')
  const locations = [...(await read('keda.yaml')).matchAll(/valueLocation: (\w+)\{kind="([\w-]+)"\}$/gm)]
  t.equal(locations.length, 4)
  for (const [, name = '', kind = ''] of locations) {
    t.match(metrics, new RegExp(`^\\| \`${name}\` \\| gauge \\| seconds \\| worker \\|`, 'm'))
    t.ok(
      jobNames.some((each) => each === kind),
      kind,
    )
  }
})

t.test('the gateway asks the DNS of the cluster for whole names', async (t) => {
  const made = t.testdir({
    bin: { nginx: '#!/bin/sh\necho "$@"\n' },
    image: {
      'nginx.conf': await readFile(join(root, '.docker/nginx.conf'), 'utf8'),
      'console-on.conf': 'on',
      'console-off.conf': 'off',
    },
    tmp: {},
    'resolv.conf': 'search clinic.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\nnameserver 10.96.0.11\n',
  })
  await chmod(join(made, 'bin/nginx'), 0o755)
  const start = (CONSOLE: string) =>
    run('sh', [join(folder, 'gateway.sh'), `${made}/image`, `${made}/tmp`, `${made}/resolv.conf`], {
      env: {
        PATH: `${made}/bin${delimiter}${process.env.PATH}`,
        CONSOLE,
        GATEWAY_TRUSTED_PROXY: '10.0.0.0/8,fd00::/8',
      },
    })
  t.match((await start('on')).stdout, `-c ${made}/tmp/nginx.conf -g daemon off;`)
  const [before, after] = await Promise.all(
    ['image', 'tmp'].map(async (place) => (await readFile(join(made, place, 'nginx.conf'), 'utf8')).split('\n')),
  )
  const changed = (after ?? []).filter((line, n) => line !== before?.[n]).map((line) => line.trim())
  t.strictSame(changed, [
    'resolver 10.96.0.10 valid=2s ipv6=off;',
    ...['contents', 'media', 'script'].map(
      (name) => `server ${name}.clinic.svc.cluster.local:8080 resolve max_fails=0;`,
    ),
  ])
  t.equal(await readFile(join(made, 'tmp/console.conf'), 'utf8'), 'on')
  t.equal(
    await readFile(join(made, 'tmp/trusted-proxy.conf'), 'utf8'),
    'set_real_ip_from 10.0.0.0/8;\nset_real_ip_from fd00::/8;\n',
  )
  await writeFile(join(made, 'resolv.conf'), 'nameserver fd00::10\nsearch clinic.svc.cluster.local\n')
  await start('off')
  t.match(await readFile(join(made, 'tmp/nginx.conf'), 'utf8'), 'resolver [fd00::10] valid=2s')
  t.equal(await readFile(join(made, 'tmp/console.conf'), 'utf8'), 'off')
  await t.rejects(start('perhaps'), 'no such part')
})
