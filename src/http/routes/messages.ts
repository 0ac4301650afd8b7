/** What was said: by page, as canonical history, and as changes since a cursor. */
import { authenticate } from '../../auth.ts'
import type { PrintedPage } from '../../conversation/cache/printed-page.ts'
import { parseMessage } from '../../conversation/wire/message-text.ts'
import { renderHistory, renderMessage } from '../../conversation/wire/render.ts'
import { mapInSlices } from '../../mechanics/time-slices.ts'
import type { ProblemCode } from '../../problem.ts'
import { passThrough } from '../openapi/component-schemas.ts'
import { operation } from '../openapi/document.ts'
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
import { inputs } from '../openapi/parameters.ts'
import { answer, bodyWithList, printedAnswer } from '../request/answer.ts'
import { isWhole, printed as printedItem, printedListAnswer } from '../request/list-answer.ts'
import type { Router, Services } from '../server.ts'

const params = passThrough

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

const readHeadersTold = {
  'Turnlog-Source': 'Where the messages come from: `cache` or `database`.',
  'Turnlog-Version': "The conversation's version, as in the body.",
}

/** Of a history that many ask for, one body: its pieces are put together once. */
const bodies = new WeakMap<PrintedPage, Uint8Array<ArrayBuffer>>()

export function addMessages(router: Router, { reader, histories, limits }: Services): void {
  const pageLimit = limit(limits.pageLimitMax, 100)
  const ofPage = inputs({
    id: conversationId,
    after,
    before,
    limit: pageLimit,
    order,
    include,
    consistency,
    minCursor,
  })
  const ofHistory = inputs({
    id: conversationId,
    last: last(limits.historyMessagesMax),
    format,
    view,
    include,
    consistency,
    minCursor,
  })
  const ofChanges = inputs({ id: conversationId, since, limit: pageLimit })

  router.get(
    '/v1/conversations/:id/messages',
    async ({ request, params }) => {
      const { id, include, ...query } = ofPage.read(request, params)
      const shown = { view: 'said', pending: include === 'pending' } as const
      const page = await histories.page(authenticate(request), id, { ...query, shown })
      const { hasMore, version, cursor } = page
      const after = { hasMore, version, cursor }
      return printedListAnswer('messages', page.texts, {}, after, readHeaders(page))
    },
    {
      params,
      detail: operation({
        id: 'listMessages',
        tag: 'Messages',
        summary: 'Read messages by page',
        description:
          'Pages go by `seq`: pass the last `seq` of a page as `after` (or the first as `before`) for the next one. Seats without words are left out.',
        parameters: ofPage.declared,
        answers: {
          200: {
            description: 'One page.',
            schema: 'MessagePage',
            example: examples.messagePage,
            headers: readHeadersTold,
          },
        },
        problems: readProblems,
      }),
    },
  )

  router.get(
    '/v1/conversations/:id/history',
    async ({ request, params }) => {
      const { id, format, view, include, ...query } = ofHistory.read(request, params)
      // An LLM must not believe that it said what nobody heard.
      const usual = format === 'turnlog' ? 'said' : 'heard'
      const shown = { view: view ?? usual, pending: include === 'pending' }
      const printed = await histories.history(authenticate(request), id, { ...query, shown })
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
      const rendered = await mapInSlices(texts, (text) => printedItem(render(parseMessage(text))))
      return printedListAnswer('messages', rendered, head, {}, headers)
    },
    {
      params,
      detail: operation({
        id: 'getHistory',
        tag: 'Messages',
        summary: 'Read the canonical history',
        description:
          'Every message in order, or the newest `last`: what an LLM is given. In every `format` the n-th message is the n-th message of the same `view`; only its shape differs.',
        parameters: ofHistory.declared,
        answers: {
          200: {
            description: 'The history.',
            schema: 'RenderedHistory',
            headers: readHeadersTold,
            examples: {
              turnlog: examples.history,
              openai: renderHistory.openai(examples.history),
              langchain: renderHistory.langchain(examples.history),
            },
          },
        },
        problems: [...readProblems, 'history-too-long'],
      }),
    },
  )

  router.get(
    '/v1/conversations/:id/changes',
    async ({ request, params }) => {
      const { id, ...query } = ofChanges.read(request, params)
      return answer(await reader.changes(authenticate(request), id, query))
    },
    {
      params,
      detail: operation({
        id: 'listChanges',
        tag: 'Messages',
        summary: 'Read what changed since a cursor',
        description:
          'Every message and segment touched after `since`, as it now is: upsert them by id, and keep `cursor`. Nothing new: an empty change with the same cursor.',
        parameters: ofChanges.declared,
        answers: {
          200: { description: 'One change.', schema: 'ChangePage', example: examples.changePage },
        },
        problems: readProblems,
      }),
    },
  )
}
