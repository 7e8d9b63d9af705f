/** Who wrote what is in a bundle: an inventory for programs (CycloneDX), and notices for people, as the licences ask for. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ComponentType } from '@cyclonedx/cyclonedx-library/Enums'
import { Bom, Component, LicenseExpression, LicenseRepository, SpdxLicense } from '@cyclonedx/cyclonedx-library/Models'
import { JSON as Json, JsonSerializer } from '@cyclonedx/cyclonedx-library/Serialize'
import { Spec1dot6 } from '@cyclonedx/cyclonedx-library/Spec'
import type { Metafile, Plugin } from 'esbuild'
import { Type } from 'typebox'
import { Value } from 'typebox/value'

/** A package of somebody else whose code is in a bundle. */
export interface ThirdParty {
  name: string
  version: string
  /** SPDX expression, such as `(MIT OR CC0-1.0)`; `unknown` where the package does not say. */
  license: string
  /** Its licence files, and the comments of its sources that name who holds a copyright. */
  notices: string[]
}

const Manifest = Type.Object({
  name: Type.String(),
  version: Type.String(),
  license: Type.Optional(Type.String()),
  devDependencies: Type.Optional(Type.Record(Type.String(), Type.String())),
})

/** What the readme of a package says, where its manifest says nothing. */
const licenseInReadme: Record<string, string> = { 'combine-errors': 'MIT' }

/** Packages that another one holds a copy of, which is copied with it and not bundled. Its manifest tells the version. */
const copies: Record<string, { name: string; license: string }[]> = {
  '@fastify/swagger-ui': [{ name: 'swagger-ui-dist', license: 'Apache-2.0' }],
}

/** The folder of a package in the path of one of its files. */
const folderOfPackage = /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/
const licenseFile = /^(?:(?:un)?licen[cs]e|notice|copying)\b/i
/** A comment of any number of lines. */
const comment = /\/\*[\s\S]*?\*\/|(?:^[ \t]*\/\/.*\n?)+/gm
/** A longer one is a source in which two such marks are in a text. */
const mostCommentCharacters = 4_000

async function licenseTexts(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && licenseFile.test(entry.name)).map(({ name }) => name)
  return Promise.all(files.toSorted().map((name) => readFile(join(folder, name), 'utf8')))
}

async function copyrightComments(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8')
  return [...text.matchAll(comment)]
    .map(([found]) => found.trim())
    .filter((found) => found.length < mostCommentCharacters && /copyright/i.test(found))
}

/** Returns the packages of others whose code is in a bundle, by their names. `directory` is where it was built. */
export async function thirdPartiesOf({ outputs }: Metafile, directory: string): Promise<ThirdParty[]> {
  const filesOf = new Map<string, Set<string>>()
  for (const input of Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs))) {
    const file = resolve(directory, input)
    const [folder] = folderOfPackage.exec(file) ?? []
    if (folder) filesOf.set(folder, (filesOf.get(folder) ?? new Set()).add(file))
  }
  const found = await Promise.all(
    [...filesOf].map(async ([folder, files]): Promise<ThirdParty[]> => {
      const manifest = Value.Parse(Manifest, JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')))
      const { name, version, license = licenseInReadme[name] ?? 'unknown', devDependencies } = manifest
      const notices = [await licenseTexts(folder), ...(await Promise.all([...files].map(copyrightComments)))].flat()
      const within = (copies[name] ?? []).map((copy) => ({
        ...copy,
        version: devDependencies?.[copy.name] ?? 'unknown',
        notices: [],
      }))
      return [{ name, version, license, notices: [...new Set(notices)] }, ...within]
    }),
  )
  // The same version can be there twice, with different libraries beside it.
  const byId = new Map(found.flat().map((each) => [`${each.name}@${each.version}`, each]))
  return [...byId.values()].toSorted((a, b) => a.name.localeCompare(b.name) || a.version.localeCompare(b.version))
}

/** Returns the notices as a text: a list of all packages, then each text once, below those to which it belongs. */
export function noticesText(parties: ThirdParty[]): string {
  const owners = new Map<string, string[]>()
  for (const { name, version, notices } of parties) {
    for (const notice of notices) {
      const text = notice.replaceAll('\r\n', '\n').trim()
      owners.set(text, [...(owners.get(text) ?? []), `${name} ${version}`])
    }
  }
  const list = parties.map(({ name, version, license }) => `${name} ${version}: ${license}`)
  const texts = [...owners].map(([text, names]) => `${'-'.repeat(80)}\n${names.join(', ')}\n\n${text}`)
  return `${['This is made of code of these packages. Their licences and notices follow.', list.join('\n'), ...texts].join('\n\n')}\n`
}

/** A scope has its sign encoded in a package URL. */
const purlOf = ({ name, version }: ThirdParty) => `pkg:npm/${name.replace('@', '%40')}@${version}`

function componentOf(party: ThirdParty): Component {
  const { license } = party
  const [scope, name] = party.name.startsWith('@') ? party.name.split('/') : [undefined, party.name]
  const licenses = license.includes(' ') ? new LicenseExpression(license) : new SpdxLicense(license)
  return new Component(ComponentType.Library, name ?? '', {
    ...(scope && { group: scope }),
    version: party.version,
    purl: purlOf(party),
    bomRef: purlOf(party),
    licenses: new LicenseRepository([licenses]),
  })
}

/**
 * Returns an inventory in CycloneDX 1.6, as JSON: without dates and random ids, so that the same sources give the same one.
 * Throws on a licence that SPDX does not know.
 */
function inventoryText(bundle: string, parties: ThirdParty[]): string {
  const bom = new Bom()
  bom.metadata.component = new Component(ComponentType.Application, bundle, { group: 'playtherapy', bomRef: bundle })
  for (const party of parties) bom.components.add(componentOf(party))
  return new JsonSerializer(new Json.Normalize.Factory(Spec1dot6)).serialize(bom, { sortLists: true, space: 2 })
}

/** A plugin that writes `<bundle>.cdx.json`, the inventory, and `<bundle>.txt`, the notices, to this folder for what is bundled. */
export const thirdParty = (bundle: string, folder: string): Plugin => ({
  name: 'third-party',
  setup({ onEnd, initialOptions }) {
    onEnd(async ({ metafile }) => {
      if (!metafile) return
      const parties = await thirdPartiesOf(metafile, initialOptions.absWorkingDir ?? process.cwd())
      await mkdir(folder, { recursive: true })
      await writeFile(join(folder, `${bundle}.cdx.json`), `${inventoryText(bundle, parties)}\n`)
      await writeFile(join(folder, `${bundle}.txt`), noticesText(parties))
    })
  },
})
