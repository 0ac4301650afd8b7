/** What an app answers, in the few words that tests of status codes and refusals compare. */
import { expect } from 'bun:test'
import { type TestApp, testApp } from './app.ts'

/** The path of a new conversation. */
export async function newConversation(app: TestApp): Promise<string> {
  const { body } = await app.ask('POST', '/v1/conversations', {})
  return `/v1/conversations/${String(body.id)}`
}

/** An app whose bounds of pages and histories are small, and a conversation of three turns in it. */
export async function appWithPages(): Promise<{ app: TestApp; id: string; base: string }> {
  const app = await testApp({
    overrides: { limits: { pageLimitMax: 120, historyMessagesMax: 30 } },
  })
  const base = await newConversation(app)
  for (let turn = 1; turn <= 3; turn += 1)
    await app.ask('POST', `${base}/turns`, { user: { text: 'a' }, assistant: { responses: ['b'] } })
  return { app, id: base.slice(base.lastIndexOf('/') + 1), base }
}

/** Status and code of an answer; the status alone where it is no problem. */
export async function outcomeOf(app: TestApp, ...asked: Parameters<TestApp['ask']>) {
  const answer = await app.ask(...asked)
  return answer.body.code === undefined ? answer.status : [answer.status, answer.body.code]
}

/** The code and the places of a refusal with 422. */
export async function refusalOf(app: TestApp, path: string, headers: HeadersInit = {}) {
  const { status, body } = await app.ask('GET', path, undefined, headers)
  expect(status).toBe(422)
  const errors = body.errors as { in: string; pointer: string }[]
  return [body.code, ...errors.map((error) => `${error.in} ${error.pointer}`)]
}
