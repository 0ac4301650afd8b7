/** What was said: by page, as canonical history, and as changes since a cursor. */
import type { PrintedPage } from '../../conversation/cache/printed-page.ts'
import { parseMessage } from '../../conversation/wire/message-text.ts'
import { renderHistory, renderMessage } from '../../conversation/wire/render.ts'
import { mapInSlices } from '../../mechanics/time-slices.ts'
import type { ProblemCode } from '../../problem.ts'
import { examples } from '../openapi/examples.ts'
import {
  after,
  before,
  consistency,
  conversationId,
  format,
  include,
  last,
  limit,
  minCursor,
  order,
  since,
  view,
} from '../openapi/fields.ts'
import { answer, bodyWithList, printedAnswer } from '../request/answer.ts'
import { isWhole, jsonBytes, printedListAnswer } from '../request/list-answer.ts'
import { type RouteFactory, route } from './route.ts'

const readProblems = [
  'id-invalid',
  'limit-invalid',
  'text-invalid',
  'cursor-invalid',
  'cursor-ahead',
  'conversation-not-found',
  'conversation-erased',
] as const satisfies readonly ProblemCode[]

const readHeaders = ({ version, source }: Pick<PrintedPage, 'version' | 'source'>) => ({
  'turnlog-source': source,
  'turnlog-version': String(version),
})

const describedReadHeaders = {
  'Turnlog-Source': 'Where the messages come from: `cache` or `database`.',
  'Turnlog-Version': "The conversation's version, as in the body.",
}

const listMessages: RouteFactory = ({ histories, limits }) =>
  route({
    method: 'GET',
    path: '/v1/conversations/:id/messages',
    id: 'listMessages',
    tag: 'Messages',
    summary: 'Read messages by page',
    description:
      'Pages go by `seq`: pass the last `seq` of a page as `after` (or the first as `before`) for the next one. Seats without words are left out.',
    parameters: {
      id: conversationId,
      after,
      before,
      limit: limit(limits.pageLimitMax, 100),
      order,
      include,
      consistency,
      minCursor,
    },
    answers: {
      200: {
        description: 'One page.',
        schema: 'MessagePage',
        example: examples.messagePage,
        headers: describedReadHeaders,
      },
    },
    problems: readProblems,
    handle: async (principal, { id, include, ...query }) => {
      const shown = { view: 'said', pending: include === 'pending' } as const
      const page = await histories.page(principal, id, { ...query, shown })
      const { hasMore, version, cursor } = page
      const after = { hasMore, version, cursor }
      return printedListAnswer('messages', page.texts, {}, after, readHeaders(page))
    },
  })

/** Bodies of histories that many callers ask for: the pieces are concatenated once. */
const bodies = new WeakMap<PrintedPage, Uint8Array<ArrayBuffer>>()

const getHistory: RouteFactory = ({ histories, limits }) =>
  route({
    method: 'GET',
    path: '/v1/conversations/:id/history',
    id: 'getHistory',
    tag: 'Messages',
    summary: 'Read the canonical history',
    description:
      'Every message in order, or the newest `last`: what an LLM is given. In every `format` the n-th message is the n-th message of the same `view`; only its shape differs.',
    parameters: {
      id: conversationId,
      last: last(limits.historyMessagesMax),
      format,
      view,
      include,
      consistency,
      minCursor,
    },
    answers: {
      200: {
        description: 'The history.',
        schema: 'RenderedHistory',
        headers: describedReadHeaders,
        examples: {
          turnlog: examples.history,
          openai: renderHistory.openai(examples.history),
          langchain: renderHistory.langchain(examples.history),
        },
      },
    },
    problems: [...readProblems, 'history-too-long'],
    handle: async (principal, { id, format, view, include, ...query }) => {
      // An LLM must not believe that it said what nobody heard.
      const defaultView = format === 'turnlog' ? 'said' : 'heard'
      const shown = { view: view ?? defaultView, pending: include === 'pending' }
      const printed = await histories.history(principal, id, { ...query, shown })
      const { version, cursor, texts } = printed
      const head = { conversationId: id, version, cursor }
      const headers = readHeaders(printed)
      if (format === 'turnlog') {
        if (!isWhole(texts)) return printedListAnswer('messages', texts, head, {}, headers)
        const body = bodies.get(printed) ?? bodyWithList('messages', texts, head, {})
        bodies.set(printed, body)
        return printedAnswer(body, 200, headers)
      }
      const render = renderMessage[format]
      const rendered = await mapInSlices(texts, (text) => jsonBytes(render(parseMessage(text))))
      return printedListAnswer('messages', rendered, head, {}, headers)
    },
  })

const listChanges: RouteFactory = ({ reader, limits }) =>
  route({
    method: 'GET',
    path: '/v1/conversations/:id/changes',
    id: 'listChanges',
    tag: 'Messages',
    summary: 'Read what changed since a cursor',
    description:
      'Every message and segment touched after `since`, as it now is: upsert them by id, and keep `cursor`. Nothing new: an empty change with the same cursor.',
    parameters: { id: conversationId, since, limit: limit(limits.pageLimitMax, 100) },
    answers: {
      200: { description: 'One change.', schema: 'ChangePage', example: examples.changePage },
    },
    problems: readProblems,
    handle: async (principal, { id, ...query }) =>
      answer(await reader.changes(principal, id, query)),
  })

export const messageRoutes: readonly RouteFactory[] = [listMessages, getHistory, listChanges]
