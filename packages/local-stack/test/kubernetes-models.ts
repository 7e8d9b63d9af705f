import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1'
import { Deployment } from 'kubernetes-models/apps/v1'
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2'
import { Job } from 'kubernetes-models/batch/v1'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1'
import { Namespace, Secret, Service } from 'kubernetes-models/v1'

const compiler = fileURLToPath(new URL('../../../node_modules/typescript/bin/tsc', import.meta.url))
const packages = fileURLToPath(new URL('../node_modules/', import.meta.url))

/** The API of each kind, and the module that has its schema and its type. */
const models = {
  Deployment: { model: Deployment, from: 'kubernetes-models/apps/v1' },
  HorizontalPodAutoscaler: { model: HorizontalPodAutoscaler, from: 'kubernetes-models/autoscaling/v2' },
  Job: { model: Job, from: 'kubernetes-models/batch/v1' },
  Namespace: { model: Namespace, from: 'kubernetes-models/v1' },
  NetworkPolicy: { model: NetworkPolicy, from: 'kubernetes-models/networking.k8s.io/v1' },
  PodDisruptionBudget: { model: PodDisruptionBudget, from: 'kubernetes-models/policy/v1' },
  ScaledObject: { model: ScaledObject, from: '@kubernetes-models/keda/keda.sh/v1alpha1' },
  Secret: { model: Secret, from: 'kubernetes-models/v1' },
  Service: { model: Service, from: 'kubernetes-models/v1' },
}
export type Kind = keyof typeof models
export const isKind = (kind: string): kind is Kind => kind in models

/** Returns why an object is not valid by the schema of its kind; undefined if it is. */
export function faultOf(kind: Kind, object: object): string | undefined {
  const made = new models[kind].model(JSON.parse(JSON.stringify(object)))
  try {
    made.validate()
    return undefined
  } catch (error) {
    return String(error)
  }
}

/**
 * Returns what the compiler says of these objects as values of the types of their kinds. Unlike the schemas these allow no name
 * that the API does not have, such as a field in the wrong place. `folder` is where the compiler finds its files.
 */
export async function unknownNames(folder: string, objects: { kind: Kind; object: object }[]): Promise<string> {
  const lines = objects.map(
    ({ kind, object }, n) =>
      `import type { I${kind} as T${n} } from '${models[kind].from}'\nexport const object${n}: T${n} = ${JSON.stringify(object)}`,
  )
  await writeFile(join(folder, 'objects.ts'), lines.join('\n'))
  const names = ['kubernetes-models', '@kubernetes-models/keda']
  const compilerOptions = {
    ...{ strict: true, noEmit: true, skipLibCheck: true, module: 'nodenext', types: [] },
    paths: Object.fromEntries(names.map((name) => [`${name}/*`, [`${packages}${name}/*/index.d.ts`]])),
  }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['objects.ts'] }))
  // The tools of tests, which they give to each process in NODE_OPTIONS, cannot load it.
  const compiled = promisify(execFile)('env', ['-u', 'NODE_OPTIONS', process.execPath, compiler, '-p', folder])
  return compiled.then(
    () => '',
    (error: unknown) => (error instanceof Error && 'stdout' in error && String(error.stdout)) || String(error),
  )
}
