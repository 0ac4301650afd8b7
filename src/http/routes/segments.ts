/** Routes for segments: spans of a conversation that turns belong to and complete. */
import { examples } from '../openapi/examples.ts'
import { conversationId, limit, page, segmentId } from '../openapi/fields.ts'
import { bodyProblems } from '../openapi/problem-lists.ts'
import { answer } from '../request/answer.ts'
import { listAnswer } from '../request/list-answer.ts'
import { type RouteFactory, route } from './route.ts'

const collection = '/v1/conversations/:id/segments'

const createSegment: RouteFactory = ({ store, decoder, limits }) =>
  route({
    method: 'POST',
    path: collection,
    id: 'createSegment',
    tag: 'Segments',
    summary: 'Create a segment',
    description:
      'Name the segment in the turns that belong to it. Send an `id` of your own to make retries safe: the same `id` again answers 200 with the present state of the segment.',
    parameters: { id: conversationId },
    body: {
      schema: 'NewSegment',
      required: false,
      examples: { named: examples.newSegment, bare: {} },
      limits,
      decode: (json) => decoder.segment(json),
    },
    answers: {
      201: {
        description: 'The segment was created.',
        schema: 'Segment',
        example: examples.createdSegment,
        headers: { Location: 'The path of the segment.' },
      },
      200: {
        description: 'A segment with this `id` exists already.',
        schema: 'Segment',
        example: examples.segment,
        headers: { Location: 'The path of the segment.' },
      },
    },
    problems: [
      ...bodyProblems,
      'id-invalid',
      'conversation-not-found',
      'conversation-erased',
      'conversation-busy',
      'outcome-unknown',
    ],
    handle: async (principal, { id }, body) => {
      const { segment, created } = await store.createSegment(principal, id, body)
      return answer(segment, created ? 201 : 200, {
        location: `/v1/conversations/${id}/segments/${segment.id}`,
      })
    },
  })

const listSegments: RouteFactory = ({ reader, limits }) =>
  route({
    method: 'GET',
    path: collection,
    id: 'listSegments',
    tag: 'Segments',
    summary: 'List the segments of a conversation',
    description:
      'Returns one page. Send its `nextPage` as `page` for the next one, until `nextPage` is null.',
    parameters: { id: conversationId, page, limit: limit(limits.pageLimitMax, 50) },
    answers: {
      200: {
        description: 'One page of segments.',
        schema: 'SegmentList',
        example: examples.segmentList,
      },
    },
    problems: [
      'id-invalid',
      'limit-invalid',
      'page-invalid',
      'text-invalid',
      'conversation-not-found',
      'conversation-erased',
    ],
    handle: async (principal, { id, ...query }) => {
      const { segments, ...rest } = await reader.segments(principal, id, query)
      return await listAnswer('segments', segments, rest)
    },
  })

const getSegment: RouteFactory = ({ reader }) =>
  route({
    method: 'GET',
    path: `${collection}/:sid`,
    id: 'getSegment',
    tag: 'Segments',
    summary: 'Read a segment and its lineage',
    parameters: { id: conversationId, sid: segmentId },
    answers: {
      200: {
        description: 'The segment, with the ids that its content came from in `lineage`.',
        schema: 'Segment',
        example: examples.segment,
      },
    },
    problems: ['id-invalid', 'conversation-not-found', 'conversation-erased', 'segment-not-found'],
    handle: async (principal, { id, sid }) => answer(await reader.segment(principal, id, sid)),
  })

export const segmentRoutes: readonly RouteFactory[] = [createSegment, listSegments, getSegment]
