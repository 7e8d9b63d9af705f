import { type Static, type TSchema, Type } from 'typebox'
import { readAnswer } from './answer.ts'
import { type Provider, post, unusable } from './provider.ts'

export interface Question<S extends TSchema> {
  system: string
  user: string
  /** The schema of the answer, which is sent to the server. The answer is checked too. */
  schema: S
  signal: AbortSignal
}

const Completion = Type.Object({
  choices: Type.Array(Type.Object({ message: Type.Object({ content: Type.String() }) }), { minItems: 1 }),
})

/**
 * Asks for a JSON document. After an answer that is not of the schema it asks again and says what was wrong. Throws
 * PermanentError for a second such answer, and what `post` throws.
 */
export async function ask<S extends TSchema>(analyser: Provider, question: Question<S>): Promise<Static<S>> {
  const { system, user, schema, signal } = question
  const messages = [
    { role: 'system', content: system },
    { role: 'user', content: user },
  ]
  for (let again = false; ; again = true) {
    const body = {
      model: analyser.model,
      messages,
      response_format: { type: 'json_schema', json_schema: { name: 'report', strict: true, schema } },
    }
    const text = await post(analyser, '/chat/completions', JSON.stringify(body), signal)
    const completion = readAnswer(text, Completion)
    const content = 'value' in completion ? completion.value.choices[0]?.message.content : undefined
    const answer = content === undefined ? { problem: 'no message' } : readAnswer(content, schema)
    if ('value' in answer) return answer.value
    if (again) throw unusable(analyser)
    // The wrong answer is not sent back, because it may be large.
    messages.push({ role: 'user', content: `Your last answer was not valid: ${answer.problem}. Answer again.` })
  }
}
