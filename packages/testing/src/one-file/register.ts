/** Loaded by node before each test file, see `.taprc`. */
import { register } from 'node:module'

register('./hooks.ts', import.meta.url)
