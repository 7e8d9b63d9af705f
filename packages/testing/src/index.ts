export { disagreements } from './agreement.ts'
export { addVideo, bytesOfRung, encodeChunk, finishRung, forgetChunks, planVideo, type RungFile } from './chunks.ts'
export { canSetClocks, ownClock } from './clock.ts'
export { connectTo, emptyDatabase, roleUrls, type Teardown, type TestDatabase, testDatabase } from './database.ts'
export { answerHelp } from './help.ts'
export { jwtSecret, type TestHost, testHost } from './host.ts'
export { installMissing, isMissing, missingPackages } from './install.ts'
export { fillSessions, wholeReads } from './many-sessions.ts'
export { randomName } from './names.ts'
export { objectStoreSuite } from './object-store-suite.ts'
export { newestMigration, olderDatabase, olderDatabases } from './older-database.ts'
export { forkWorker, type OwnProcess, ownProcess, type Signal, sourceOptions } from './processes.ts'
export { type QueueBackend, queueBackends, redisContents, testQueue } from './queues.ts'
export { s3RequestHeaders } from './s3-headers.ts'
export { countEncodeRows, seedEncode, seedSession, testCause } from './seed.ts'
export { type Collector, type ReceivedSpan, startCollector } from './servers/collector.ts'
export { type FlakyLink, flakyLink } from './servers/flaky-link.ts'
export { hasNginx, type RunningNginx, startNginx } from './servers/nginx.ts'
export { type RunningRedis, startRedis } from './servers/redis.ts'
export { startRedisCluster } from './servers/redis-cluster.ts'
export { startRedisSentinels } from './servers/redis-sentinel.ts'
export { kmsKey, type RunningS3, startS3 } from './servers/s3.ts'
export {
  bareBucket,
  bucketClient,
  encrypted,
  encryptForeign,
  encryptionsIn,
  hideVersions,
  lockingBucket,
  lockObject,
  replaceObject,
  type StoreBackend,
  storeBackends,
  testBucket,
  testStore,
  versionsIn,
} from './stores.ts'
export { until } from './until.ts'
