import { type Static, type TSchema, Type } from 'typebox'
import { readAnswer } from './answer.ts'
import { type Provider, post, unusable } from './provider.ts'

export interface Question<S extends TSchema> {
  system: string
  user: string
  /** What the answer must be; sent along, and checked all the same. */
  schema: S
  signal: AbortSignal
}

const Completion = Type.Object({
  choices: Type.Array(Type.Object({ message: Type.Object({ content: Type.String() }) }), { minItems: 1 }),
})

/**
 * Asks for a JSON document. An answer that is none, or not of the schema, is asked for once more with its fault named;
 * then it is a PermanentError. Otherwise throws what `post` throws.
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
    const answer = content === undefined ? { fault: 'no message' } : readAnswer(content, schema)
    if ('value' in answer) return answer.value
    if (again) throw unusable(analyser)
    // What it said is not sent back: it may be as large as it is wrong.
    messages.push({ role: 'user', content: `Your last answer was not valid: ${answer.fault}. Answer again.` })
  }
}
