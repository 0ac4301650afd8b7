/** Conversations: create, list, read, change, erase. */
import { authenticate } from '../../auth.ts'
import { passThrough } from '../openapi/component-schemas.ts'
import { bodyProblems, operation, writeProblems } from '../openapi/document.ts'
import { examples } from '../openapi/examples.ts'
import { anyVersion, conversationId, externalId, ifMatch, limit, page } from '../openapi/fields.ts'
import { inputs } from '../openapi/parameters.ts'
import { answer, entityTag } from '../request/answer.ts'
import { readJson } from '../request/body.ts'
import { listAnswer } from '../request/list-answer.ts'
import type { Router, Services } from '../server.ts'

const collection = '/v1/conversations'
const one = '/v1/conversations/:id'
const params = passThrough

export function addConversations(
  router: Router,
  { store, reader, decoder, limits }: Services,
): void {
  const bounds = { maxBytes: limits.turnBytesMax, setting: 'limits.turnBytesMax' }
  const jsonBody = { ...bounds, mediaTypes: ['application/json'] }
  const patchBody = { ...bounds, mediaTypes: ['application/json', 'application/merge-patch+json'] }
  const ofNone = inputs({})
  const ofList = inputs({ page, limit: limit(limits.pageLimitMax, 50), externalId })
  const ofOne = inputs({ id: conversationId })
  const ofPatch = inputs({ id: conversationId, ifMatch })

  router.post(
    collection,
    async ({ request }) => {
      ofNone.read(request, {})
      const body = decoder.conversation(await readJson(request, jsonBody))
      const { conversation, created } = await store.createConversation(authenticate(request), body)
      return answer(conversation, created ? 201 : 200, {
        location: `${collection}/${conversation.id}`,
        etag: entityTag(conversation.version),
      })
    },
    {
      parse: 'none',
      detail: operation({
        id: 'createConversation',
        tag: 'Conversations',
        summary: 'Create a conversation',
        description:
          'The same body under the same `id` again answers 200 with the conversation as it is; another body under that `id` is a conflict. `createdAt` is part of the body; the list orders by it until there is a message.',
        body: {
          schema: 'NewConversation',
          required: true,
          mediaTypes: jsonBody.mediaTypes,
          examples: { named: examples.newConversation, bare: {} },
        },
        answers: {
          201: {
            description: 'Created.',
            schema: 'Conversation',
            example: examples.createdConversation,
            headers: { Location: 'Where it is.', ETag: 'Its version.' },
          },
          200: {
            description: 'It was there already, created with the same body.',
            schema: 'Conversation',
            example: examples.conversation,
            headers: { Location: 'Where it is.', ETag: 'Its version.' },
          },
        },
        problems: [
          ...bodyProblems,
          'id-invalid',
          'json-too-large',
          'time-invalid',
          'time-ahead',
          'conversation-taken',
          'external-id-taken',
          'conversation-erased',
          'conversation-busy',
          'outcome-unknown',
        ],
      }),
    },
  )

  router.get(
    collection,
    async ({ request }) => {
      const query = ofList.read(request, {})
      const { conversations, ...rest } = await reader.conversations(authenticate(request), query)
      return await listAnswer('conversations', conversations, rest)
    },
    {
      detail: operation({
        id: 'listConversations',
        tag: 'Conversations',
        summary: 'List conversations, the last active first',
        parameters: ofList.declared,
        answers: {
          200: {
            description: 'One page.',
            schema: 'ConversationList',
            example: examples.conversationList,
          },
        },
        problems: ['limit-invalid', 'page-invalid', 'text-invalid'],
      }),
    },
  )

  router.get(
    one,
    async ({ request, params }) => {
      const { id } = ofOne.read(request, params)
      const conversation = await reader.conversation(authenticate(request), id)
      return answer(conversation, 200, { etag: entityTag(conversation.version) })
    },
    {
      params,
      detail: operation({
        id: 'getConversation',
        tag: 'Conversations',
        summary: 'Read a conversation',
        parameters: ofOne.declared,
        answers: {
          200: {
            description: 'The conversation.',
            schema: 'Conversation',
            example: examples.conversation,
            headers: { ETag: 'Its version, for `If-Match`.' },
          },
        },
        problems: ['id-invalid', 'conversation-not-found', 'conversation-erased'],
      }),
    },
  )

  router.patch(
    one,
    async ({ request, params }) => {
      const { id, ifMatch } = ofPatch.read(request, params)
      const patch = decoder.conversationPatch(await readJson(request, patchBody))
      const conversation = await store.patchConversation(
        authenticate(request),
        id,
        patch,
        ifMatch === anyVersion ? undefined : ifMatch,
      )
      return answer(conversation, 200, { etag: entityTag(conversation.version) })
    },
    {
      params,
      parse: 'none',
      detail: operation({
        id: 'patchConversation',
        tag: 'Conversations',
        summary: 'Change title, metadata or external id',
        description: 'The body is a JSON Merge Patch (RFC 7396): null removes a member.',
        parameters: ofPatch.declared,
        body: {
          schema: 'ConversationPatch',
          required: true,
          mediaTypes: patchBody.mediaTypes,
          examples: { patch: examples.conversationPatch },
        },
        answers: {
          200: {
            description: 'The conversation as it now is.',
            schema: 'Conversation',
            example: examples.patchedConversation,
            headers: { ETag: 'Its version.' },
          },
        },
        problems: [
          ...bodyProblems,
          'id-invalid',
          'json-too-large',
          'conversation-not-found',
          'conversation-erased',
          'external-id-taken',
          'version-mismatch',
          'conversation-busy',
          'outcome-unknown',
        ],
      }),
    },
  )

  router.delete(
    one,
    async ({ request, params }) => {
      const { id } = ofOne.read(request, params)
      return answer(await store.eraseConversation(authenticate(request), id))
    },
    {
      params,
      detail: operation({
        id: 'eraseConversation',
        tag: 'Conversations',
        summary: 'Erase a conversation',
        description:
          'Deletes its messages and segments for good; the id is never used again. Repeatable: the receipt stays the same.',
        parameters: ofOne.declared,
        answers: {
          200: {
            description: 'What was deleted.',
            schema: 'ErasureReceipt',
            example: examples.erasureReceipt,
          },
        },
        problems: [
          ...writeProblems,
          'id-invalid',
          'conversation-not-found',
          'conversation-busy',
          'outcome-unknown',
        ],
      }),
    },
  )
}
