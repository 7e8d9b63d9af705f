export { type Teardown, testDatabase } from './database.ts'
export { jwtSecret, type TestHost, testHost } from './host.ts'
export { randomName } from './names.ts'
