/** Conversations: create, list, read, change, erase. */
import type { Conversation } from '../../conversation/wire/schemas.ts'
import { examples } from '../openapi/examples.ts'
import { anyVersion, conversationId, externalId, ifMatch, limit, page } from '../openapi/fields.ts'
import { bodyProblems, writeProblems } from '../openapi/problem-lists.ts'
import { answer, entityTag } from '../request/answer.ts'
import { listAnswer } from '../request/list-answer.ts'
import { type RouteFactory, route } from './route.ts'

const collection = '/v1/conversations'
const one = '/v1/conversations/:id'

/** A conversation with its version as the entity tag. */
const conversationAnswer = (conversation: Conversation): Response =>
  answer(conversation, 200, { etag: entityTag(conversation.version) })

const createConversation: RouteFactory = ({ store, decoder, limits }) =>
  route({
    method: 'POST',
    path: collection,
    id: 'createConversation',
    tag: 'Conversations',
    summary: 'Create a conversation',
    description:
      'The same body under the same `id` again answers 200 with the conversation as it is; another body under that `id` is a conflict. `createdAt` is part of the body; the list orders by it until there is a message.',
    parameters: {},
    body: {
      schema: 'NewConversation',
      examples: { named: examples.newConversation, bare: {} },
      limits,
      decode: (json) => decoder.conversation(json),
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
    handle: async (principal, _, body) => {
      const { conversation, created } = await store.createConversation(principal, body)
      return answer(conversation, created ? 201 : 200, {
        location: `${collection}/${conversation.id}`,
        etag: entityTag(conversation.version),
      })
    },
  })

const listConversations: RouteFactory = ({ reader, limits }) =>
  route({
    method: 'GET',
    path: collection,
    id: 'listConversations',
    tag: 'Conversations',
    summary: 'List conversations, the last active first',
    parameters: { page, limit: limit(limits.pageLimitMax, 50), externalId },
    answers: {
      200: {
        description: 'One page.',
        schema: 'ConversationList',
        example: examples.conversationList,
      },
    },
    problems: ['limit-invalid', 'page-invalid', 'text-invalid'],
    handle: async (principal, query) => {
      const { conversations, ...rest } = await reader.conversations(principal, query)
      return await listAnswer('conversations', conversations, rest)
    },
  })

const getConversation: RouteFactory = ({ reader }) =>
  route({
    method: 'GET',
    path: one,
    id: 'getConversation',
    tag: 'Conversations',
    summary: 'Read a conversation',
    parameters: { id: conversationId },
    answers: {
      200: {
        description: 'The conversation.',
        schema: 'Conversation',
        example: examples.conversation,
        headers: { ETag: 'Its version, for `If-Match`.' },
      },
    },
    problems: ['id-invalid', 'conversation-not-found', 'conversation-erased'],
    handle: async (principal, { id }) =>
      conversationAnswer(await reader.conversation(principal, id)),
  })

const patchConversation: RouteFactory = ({ store, decoder, limits }) =>
  route({
    method: 'PATCH',
    path: one,
    id: 'patchConversation',
    tag: 'Conversations',
    summary: 'Change title, metadata or external id',
    description: 'The body is a JSON Merge Patch (RFC 7396): null removes a member.',
    parameters: { id: conversationId, ifMatch },
    body: {
      schema: 'ConversationPatch',
      mediaTypes: ['application/json', 'application/merge-patch+json'],
      examples: { patch: examples.conversationPatch },
      limits,
      decode: (json) => decoder.conversationPatch(json),
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
    handle: async (principal, { id, ifMatch }, patch) => {
      const version = ifMatch === anyVersion ? undefined : ifMatch
      return conversationAnswer(await store.patchConversation(principal, id, patch, version))
    },
  })

const eraseConversation: RouteFactory = ({ store }) =>
  route({
    method: 'DELETE',
    path: one,
    id: 'eraseConversation',
    tag: 'Conversations',
    summary: 'Erase a conversation',
    description:
      'Deletes its messages and segments for good; the id is never used again. Repeatable: the receipt stays the same.',
    parameters: { id: conversationId },
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
    handle: async (principal, { id }) => answer(await store.eraseConversation(principal, id)),
  })

export const conversationRoutes: readonly RouteFactory[] = [
  createConversation,
  listConversations,
  getConversation,
  patchConversation,
  eraseConversation,
]
