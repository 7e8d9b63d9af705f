/**
 * A minimal service with the same case routes: a bare Fastify with a token check, and the best statements that we can
 * write by hand. Its argument is the URL of the database.
 */
import jwt from '@fastify/jwt'
import Fastify from 'fastify'
import postgres from 'postgres'

const { PORT, JWT_SECRET = '' } = process.env
const sql = postgres(process.argv[2] ?? '', { max: 8 })
const app = Fastify()
await app.register(jwt, { secret: JWT_SECRET })
app.get('/ready', async () => 'ready')

interface Query {
  keyword?: string
  skip?: string
  limit?: string
}

const userOf = (claims: unknown) =>
  typeof claims === 'object' && claims && 'user_id' in claims ? Number(claims.user_id) : 0

const matching = (keyword: string | undefined) => {
  if (!keyword) return sql``
  return sql`and strpos(search_text, search_fold(${keyword})) > 0`
}

await app.register(async (cases) => {
  cases.addHook('onRequest', (request) => request.jwtVerify())
  cases.get<{ Querystring: Query }>('/contents/api/case', async ({ user, query }) => {
    const { keyword, skip = '0', limit = '10' } = query
    return sql`
      select id, given_name, family_name, description, user_id,
        (select count(*)::int from sessions where case_id = cases.id) as session_count,
        to_char(created_at at time zone 'Asia/Seoul', 'YYYY-MM-DD') as start_date,
        to_char(updated_at at time zone 'Asia/Seoul', 'YYYY-MM-DD') as updated_date, case_state_id
      from cases where user_id = ${userOf(user)} ${matching(keyword)}
      order by id desc offset ${Number(skip)} limit ${Number(limit)}`
  })
  cases.get<{ Querystring: Query }>('/contents/api/case/total-num', async ({ user, query }) => {
    const [row] = await sql<{ count: number }[]>`
      select count(*)::int as count from cases where user_id = ${userOf(user)} ${matching(query.keyword)}`
    return Math.max(1, Math.ceil((row?.count ?? 0) / 10))
  })
})
await app.listen({ host: '127.0.0.1', port: Number(PORT) })
process.once('SIGTERM', async () => {
  await app.close()
  await sql.end()
})
