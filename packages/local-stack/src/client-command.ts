/** `npm run generate-client`: writes the generated files of the client anew. */
import { writeFile } from 'node:fs/promises'
import { generate } from '@playtherapy/client/generate'
import { openApiDocument } from './document.ts'

const files = await generate(await openApiDocument())
for (const [name, text] of Object.entries(files)) {
  await writeFile(new URL(`../../client/src/generated/${name}`, import.meta.url), text)
}
