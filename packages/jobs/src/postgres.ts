import { EventEmitter } from 'node:events'
import { tlsOf } from '@playtherapy/schema'
import { type BackendFactory, type IQueueBackend, PostgresConnection, PostgresQueueBackend } from 'bullmq'

export const speaksPostgres = (protocol: string) => /^postgres(ql)?:$/.test(protocol)

/**
 * Four connections for everything: one LISTEN that the workers share, three for statements. BullMQ would open a pool
 * and a LISTEN for each queue and each worker; its backend accepts a shared connection instead. (Its `forQueue` shares
 * too, but such a backend does not listen again after a lost connection.)
 */
export function postgresBackends(address: string) {
  const { url, ssl } = tlsOf(address)
  const connection = new SharedConnection({
    connectionString: url,
    ssl,
    max: 3,
    application_name: 'queue',
    connectionTimeoutMillis: 5_000,
    statement_timeout: 10_000,
    query_timeout: 12_000,
  })
  // Every queue and every worker adds a listener, here and to the connection that listens. Their number is bounded, so Node's warning of
  // a leak is wrong.
  connection.setMaxListeners(0)
  const backend: BackendFactory<IQueueBackend, string> = (name, options) => new SharedBackend(connection, name, options)
  return { publishing: backend, consuming: backend, close: () => connection.close() }
}

type ListenClient = Awaited<ReturnType<PostgresConnection['getListenClient']>>

class SharedConnection extends PostgresConnection {
  private orderly: ListenClient | undefined

  /** Orders the LISTENs of all backends, because `pg` expects one statement after the other. */
  override async getListenClient(): Promise<ListenClient> {
    const client = await super.getListenClient()
    if (client === this.orderly) return client
    this.orderly = client
    if (client instanceof EventEmitter) client.setMaxListeners(0)
    const query = client.query.bind(client)
    let last: Promise<unknown> = Promise.resolve()
    client.query = <R>(text: string, values?: readonly unknown[]) => {
      const result = last.then(() => query<R>(text, values))
      last = result.catch(() => undefined)
      return result
    }
    return client
  }
}

/** Its `close` closes nothing: otherwise the first closed worker would close the connection of the others. */
class SharedBackend extends PostgresQueueBackend {
  override async close(): Promise<void> {}
}
