/** Routes that read messages: by page, as the history, and as the changes since a cursor. */
import type { PrintedPage } from '../../conversation/cache/printed-page.ts'
import { parseMessage } from '../../conversation/wire/message-text.ts'
import { renderHistory, renderMessage } from '../../conversation/wire/render.ts'
import { mapInSlices } from '../../mechanics/time-slices.ts'
import { type ProblemCode, violationProblem } from '../../problem.ts'
import { examples } from '../openapi/examples.ts'
import {
  after,
  before,
  consistency,
  conversationId,
  format,
  include,
  last,
  lastTurns,
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
  'Turnlog-Source': 'The source of the messages: `cache` or `database`.',
  'Turnlog-Version': 'The version of the conversation, the same as in the body.',
}

const listMessages: RouteFactory = ({ histories, limits }) =>
  route({
    method: 'GET',
    path: '/v1/conversations/:id/messages',
    id: 'listMessages',
    tag: 'Messages',
    summary: 'Read messages page by page',
    description:
      'Returns messages in the order of `seq`. For the next page, send the last `seq` as `after`; for the previous page, send the first `seq` as `before`. Seats (human messages without words) are left out unless you send `include=pending`.',
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
        description: 'One page of messages. `hasMore` says whether another page follows.',
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

/**
 * The bodies of cached histories. If several callers read a history, its pieces are concatenated
 * only once.
 */
const bodies = new WeakMap<PrintedPage, Uint8Array<ArrayBuffer>>()

const bothBounds = () =>
  violationProblem([
    {
      ...{ code: 'field-invalid', in: 'query', pointer: '/lastTurns' },
      message: 'must not be sent together with `last`',
    },
  ])

const getHistory: RouteFactory = ({ histories, limits }) =>
  route({
    method: 'GET',
    path: '/v1/conversations/:id/history',
    id: 'getHistory',
    tag: 'Messages',
    summary: 'Read the history for an LLM',
    description:
      'Returns every message in order, the newest `last`, or those of the newest `lastTurns` turns: the context for the next call of an LLM. A conversation with more messages than the maximum is refused with `history-too-long` unless you send one of both. All formats contain the same messages of a `view` in the same order; only the shape of a message differs.',
    parameters: {
      id: conversationId,
      last: last(limits.historyMessagesMax),
      lastTurns: lastTurns(limits.historyMessagesMax),
      format,
      view,
      include,
      consistency,
      minCursor,
    },
    answers: {
      200: {
        description: 'The history, in the shape of `format`.',
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
      if (query.last !== undefined && query.lastTurns !== undefined) throw bothBounds()
      // An LLM must not believe that it said words that the listener did not hear.
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
    summary: 'Read the changes since a cursor',
    description:
      'Returns every message and segment that changed after the cursor `since`, in its present state. Insert or replace them by id in your copy, then store the new `cursor` for the next call. If `hasMore` is true, read again with it. If nothing changed, both lists are empty and the cursor stays the same.',
    parameters: { id: conversationId, since, limit: limit(limits.pageLimitMax, 100) },
    answers: {
      200: {
        description: 'The changes up to `cursor`.',
        schema: 'ChangePage',
        example: examples.changePage,
      },
    },
    problems: readProblems,
    handle: async (principal, { id, ...query }) =>
      answer(await reader.changes(principal, id, query)),
  })

export const messageRoutes: readonly RouteFactory[] = [listMessages, getHistory, listChanges]
