/** Answers of an app in the short form that tests of status codes and refusals compare. */
import { expect } from 'bun:test'
import { type TestApp, testApp } from './app.ts'

/** The path of a new conversation. */
export async function newConversation(app: TestApp): Promise<string> {
  const { body } = await app.ask('POST', '/v1/conversations', {})
  return `/v1/conversations/${String(body.id)}`
}

/** An app with small bounds of pages and histories, and a conversation of three turns in it. */
export async function appWithPages(): Promise<{ app: TestApp; id: string; base: string }> {
  const app = await testApp({
    overrides: { limits: { pageLimitMax: 120, historyMessagesMax: 30 } },
  })
  const base = await newConversation(app)
  for (let turn = 1; turn <= 3; turn += 1)
    await app.ask('POST', `${base}/turns`, { user: { text: 'a' }, assistant: { responses: ['b'] } })
  return { app, id: base.slice(base.lastIndexOf('/') + 1), base }
}

/** Status and problem code of an answer, or only the status if it is not a problem. */
export async function outcomeOf(app: TestApp, ...request: Parameters<TestApp['ask']>) {
  const answer = await app.ask(...request)
  return answer.body.code === undefined ? answer.status : [answer.status, answer.body.code]
}

/** The problem code and the fields that a refusal with 422 names. */
export async function refusalOf(app: TestApp, path: string, headers: HeadersInit = {}) {
  const { status, body } = await app.ask('GET', path, undefined, headers)
  expect(status).toBe(422)
  const errors = body.errors as { in: string; pointer: string }[]
  return [body.code, ...errors.map((error) => `${error.in} ${error.pointer}`)]
}
