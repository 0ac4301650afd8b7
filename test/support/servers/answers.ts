/** Short forms of an app's answers, for tests of status codes and refusals. */
import { expect } from 'bun:test'
import { type TestApp, testApp } from './app.ts'

/** Creates a conversation. Returns its path. */
export async function newConversation(app: TestApp): Promise<string> {
  const { body } = await app.ask('POST', '/v1/conversations', {})
  return `/v1/conversations/${String(body.id)}`
}

/** An app with low limits of pages and histories, and a conversation of three turns in it. */
export async function appWithPages(): Promise<{ app: TestApp; id: string; base: string }> {
  const app = await testApp({
    overrides: { limits: { pageLimitMax: 120, historyMessagesMax: 30 } },
  })
  const base = await newConversation(app)
  for (let turn = 1; turn <= 3; turn += 1)
    await app.ask('POST', `${base}/turns`, { user: { text: 'a' }, assistant: { responses: ['b'] } })
  return { app, id: base.slice(base.lastIndexOf('/') + 1), base }
}

/** The status and code of an answer; the status alone if the answer is no problem. */
export async function outcomeOf(app: TestApp, ...request: Parameters<TestApp['ask']>) {
  const answer = await app.ask(...request)
  return answer.body.code === undefined ? answer.status : [answer.status, answer.body.code]
}

/** The code of a refusal with 422, and the places that its `errors` name. */
export async function refusalOf(app: TestApp, path: string, headers: HeadersInit = {}) {
  const { status, body } = await app.ask('GET', path, undefined, headers)
  expect(status).toBe(422)
  const errors = body.errors as { in: string; pointer: string }[]
  return [body.code, ...errors.map((error) => `${error.in} ${error.pointer}`)]
}
