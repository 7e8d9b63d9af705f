import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'postgresql',
  schema: [
    './src/tables.ts',
    './src/encode-tables.ts',
    './src/operations-tables.ts',
    './src/webhook-tables.ts',
    './src/export-tables.ts',
  ],
  out: './migrations',
  casing: 'snake_case',
})
