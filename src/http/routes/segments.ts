/** Segments: spans of a conversation that turns belong to and complete. */
import { authenticate } from '../../auth.ts'
import { passThrough } from '../openapi/component-schemas.ts'
import { bodyProblems, operation } from '../openapi/document.ts'
import { examples } from '../openapi/examples.ts'
import { conversationId, limit, page, segmentId } from '../openapi/fields.ts'
import { inputs } from '../openapi/parameters.ts'
import { answer } from '../request/answer.ts'
import { readOptionalJson } from '../request/body.ts'
import { listAnswer } from '../request/list-answer.ts'
import type { Router, Services } from '../server.ts'

const collection = '/v1/conversations/:id/segments'
const params = passThrough

export function addSegments(router: Router, { store, reader, decoder, limits }: Services): void {
  const jsonBody = {
    maxBytes: limits.turnBytesMax,
    setting: 'limits.turnBytesMax',
    mediaTypes: ['application/json'],
  }
  const ofNew = inputs({ id: conversationId })
  const ofList = inputs({ id: conversationId, page, limit: limit(limits.pageLimitMax, 50) })
  const ofOne = inputs({ id: conversationId, sid: segmentId })

  router.post(
    collection,
    async ({ request, params }) => {
      const { id } = ofNew.read(request, params)
      const body = decoder.segment(await readOptionalJson(request, jsonBody))
      const { segment, created } = await store.createSegment(authenticate(request), id, body)
      return answer(segment, created ? 201 : 200, {
        location: `/v1/conversations/${id}/segments/${segment.id}`,
      })
    },
    {
      params,
      parse: 'none',
      detail: operation({
        id: 'createSegment',
        tag: 'Segments',
        summary: 'Create a segment',
        description: 'The same `id` again answers 200 with the segment as it is.',
        parameters: ofNew.declared,
        body: {
          schema: 'NewSegment',
          required: false,
          mediaTypes: jsonBody.mediaTypes,
          examples: { named: examples.newSegment, bare: {} },
        },
        answers: {
          201: {
            description: 'Created.',
            schema: 'Segment',
            example: examples.createdSegment,
            headers: { Location: 'Where it is.' },
          },
          200: {
            description: 'It was there already.',
            schema: 'Segment',
            example: examples.segment,
            headers: { Location: 'Where it is.' },
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
      }),
    },
  )

  router.get(
    collection,
    async ({ request, params }) => {
      const { id, ...query } = ofList.read(request, params)
      const { segments, ...rest } = await reader.segments(authenticate(request), id, query)
      return await listAnswer('segments', segments, rest)
    },
    {
      params,
      detail: operation({
        id: 'listSegments',
        tag: 'Segments',
        summary: 'List the segments of a conversation',
        parameters: ofList.declared,
        answers: {
          200: { description: 'One page.', schema: 'SegmentList', example: examples.segmentList },
        },
        problems: [
          'id-invalid',
          'limit-invalid',
          'page-invalid',
          'text-invalid',
          'conversation-not-found',
          'conversation-erased',
        ],
      }),
    },
  )

  router.get(
    `${collection}/:sid`,
    async ({ request, params }) => {
      const { id, sid } = ofOne.read(request, params)
      return answer(await reader.segment(authenticate(request), id, sid))
    },
    {
      params,
      detail: operation({
        id: 'getSegment',
        tag: 'Segments',
        summary: 'Read a segment and its lineage',
        parameters: ofOne.declared,
        answers: {
          200: { description: 'The segment.', schema: 'Segment', example: examples.segment },
        },
        problems: [
          'id-invalid',
          'conversation-not-found',
          'conversation-erased',
          'segment-not-found',
        ],
      }),
    },
  )
}
