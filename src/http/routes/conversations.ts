/** Routes that create, list, read, change and erase conversations. */
import type { Conversation } from '../../conversation/wire/schemas.ts'
import { examples } from '../openapi/examples.ts'
import { anyVersion, conversationId, externalId, ifMatch, limit, page } from '../openapi/fields.ts'
import { bodyProblems, writeProblems } from '../openapi/problem-lists.ts'
import { answer, entityTag } from '../request/answer.ts'
import { listAnswer } from '../request/list-answer.ts'
import { type RouteFactory, route } from './route.ts'

const collection = '/v1/conversations'
const conversationPath = '/v1/conversations/:id'

const createdHeaders = {
  Location: 'The path of the conversation.',
  ETag: 'The version of the conversation, for `If-Match`.',
}

/** A response with a conversation, and its version as the ETag. */
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
      'Every field is optional. Send an `id` or an `externalId` of your own to make retries safe: the same body again answers 200 with the present state of the conversation, another body is refused with `conversation-taken` or `external-id-taken`. `createdAt` is part of the body; the list sorts by it until the conversation has a message.',
    parameters: {},
    body: {
      schema: 'NewConversation',
      examples: { named: examples.newConversation, bare: {} },
      limits,
      decode: (json) => decoder.conversation(json),
    },
    answers: {
      201: {
        description: 'The conversation was created.',
        schema: 'Conversation',
        example: examples.createdConversation,
        headers: createdHeaders,
      },
      200: {
        description: 'The conversation exists already, created with the same body.',
        schema: 'Conversation',
        example: examples.conversation,
        headers: createdHeaders,
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
    summary: 'List conversations, the most recently active first',
    description:
      'Returns one page. Send its `nextPage` as `page` for the next one, until `nextPage` is null.',
    parameters: { page, limit: limit(limits.pageLimitMax, 50), externalId },
    answers: {
      200: {
        description: 'One page of conversations.',
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
    path: conversationPath,
    id: 'getConversation',
    tag: 'Conversations',
    summary: 'Read a conversation',
    parameters: { id: conversationId },
    answers: {
      200: {
        description: 'The conversation.',
        schema: 'Conversation',
        example: examples.conversation,
        headers: { ETag: 'The version of the conversation, for `If-Match`.' },
      },
    },
    problems: ['id-invalid', 'conversation-not-found', 'conversation-erased'],
    handle: async (principal, { id }) =>
      conversationAnswer(await reader.conversation(principal, id)),
  })

const patchConversation: RouteFactory = ({ store, decoder, limits }) =>
  route({
    method: 'PATCH',
    path: conversationPath,
    id: 'patchConversation',
    tag: 'Conversations',
    summary: 'Change the title, metadata or external id',
    description:
      'Send only the fields to change, as a JSON Merge Patch (RFC 7396): null removes a field or a member of `metadata`. With `If-Match`, a change that another caller made in between is not overwritten.',
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
        description: 'The conversation in its new state.',
        schema: 'Conversation',
        example: examples.patchedConversation,
        headers: { ETag: 'The new version of the conversation.' },
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
    path: conversationPath,
    id: 'eraseConversation',
    tag: 'Conversations',
    summary: 'Erase a conversation',
    description:
      'Deletes the content of a conversation for good: messages, segments, title, metadata and external id. Its id is never used again. The request can be repeated: it then returns the same receipt.',
    parameters: { id: conversationId },
    answers: {
      200: {
        description: 'The receipt: when the conversation was erased, and how much was deleted.',
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
