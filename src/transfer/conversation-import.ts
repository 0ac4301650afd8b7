/**
 * Carries out the steps of one conversation, in order. After a turn that was refused, the rest of the
 * conversation waits: recorded now, it would stand in the wrong place for ever.
 */
import { isDeepStrictEqual } from 'node:util'
import type {
  Conversation,
  Message,
  MessagePage,
  RecordedTurn,
  Segment,
} from '../conversation/wire.ts'
import { createAttachments } from './attachment.ts'
import type { ExportedMessage } from './export-format.ts'
import { Refused, type Rest } from './rest.ts'
import type { Audio, Step } from './steps.ts'
import type { Place, Tally } from './tally.ts'

export type ConversationImport = {
  apply(step: Step, place: Place): Promise<void>
  /** After the last step. */
  finish(): void
}

export type ImportOptions = {
  readonly id: string
  /** Whether an `end` has to come: without it the file was cut off. */
  readonly needsEnd: boolean
  readonly rest: Rest
  readonly tally: Tally
  /** Record what follows a turn that is missing. */
  readonly allowGaps: boolean
}

type RecordStep = Step & { do: 'record' }
type CreateStep = Step & { do: 'create' }

export function createConversationImport({
  id,
  needsEnd,
  rest,
  tally,
  allowGaps,
}: ImportOptions): ConversationImport {
  const path = `/v1/conversations/${id}`
  const attachments = createAttachments(rest, path)
  /** Segments whose audio no message could carry yet, and where that was said. */
  const waiting = new Map<string, { urls: Audio['urls']; place: Place }>()
  let stopped = false
  let nextSeq = 1
  let hasEnded = false
  let lastPlace: Place | undefined

  const stop = (place: Place, what: string, reason: string): undefined => {
    stopped = true
    tally.refused(place, what, reason)
  }

  const create = async ({ body, kept }: CreateStep, place: Place) => {
    try {
      const { status } = await rest.send<Conversation>('POST', '/v1/conversations', body)
      tally.count(status === 201 ? 'conversations new' : 'conversations there')
      tally.kept(kept)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      const { externalId = null, title = null, metadata = null } = body
      const same =
        error.code === 'conversation-taken' &&
        isDeepStrictEqual(shownOf(await rest.get<Conversation>(path)), [
          externalId,
          title,
          metadata,
        ])
      if (same) tally.count('conversations there')
      else stop(place, `conversations: ${error.code}`, `conversation ${id}: ${error.message}`)
    }
  }

  const createSegment = async (segmentId: string, isCounted: boolean) => {
    const { status } = await rest.send<Segment>('POST', `${path}/segments`, { id: segmentId })
    if (isCounted) tally.count(status === 201 ? 'segments new' : 'segments there')
  }

  const send = async ({ turn, key }: RecordStep) =>
    rest.send<RecordedTurn | undefined>('POST', `${path}/turns`, turn, key)

  /** Segments may be named before their line, where they were made while the export ran. */
  const sendWithSegments = async (step: RecordStep) => {
    try {
      return await send(step)
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== 'segment-not-found') throw error
      await createSegment(step.turn.segment?.id ?? '', false)
      return send(step)
    }
  }

  const attach = async (audio: Audio) => {
    try {
      await attachments.toMessage(audio)
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== 'segment-not-found') throw error
      await createSegment(audio.segmentId ?? '', false)
      await attachments.toMessage(audio)
    }
    tally.count('audio')
  }

  /** Audio has no order that a refusal could break: the rest goes on. */
  const tryAudio = async (place: Place, attaching: () => Promise<void>) => {
    try {
      await attaching()
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      tally.refused(place, `audio: ${error.code}`, `conversation ${id}: ${error.message}`)
    }
  }

  /** The same messages, where they stand there: recorded under another key, or completing otherwise. */
  const standing = async (exported: readonly ExportedMessage[]): Promise<Message[] | undefined> => {
    const after = (exported[0]?.seq ?? 1) - 1
    const page = await rest.get<MessagePage>(`${path}/messages?after=${after}&limit=2`)
    const messages = page.messages.slice(0, exported.length)
    return isDeepStrictEqual(messages.map(lasting), exported.map(lasting)) ? messages : undefined
  }

  /** The turn's messages as they now stand; undefined where it was refused. */
  const recordOrFind = async (step: RecordStep, place: Place): Promise<Message[] | undefined> => {
    try {
      const { status, body } = await sendWithSegments(step)
      if (body === undefined) return stop(place, 'turns: no answer', 'the answer has no parts')
      tally.count(status === 201 ? 'turns new' : 'turns replayed')
      return body.messages
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      const isTaken = error.code === 'idempotency-conflict' || error.code === 'id-taken'
      const found = isTaken && step.exported !== undefined && (await standing(step.exported))
      if (!found) return stop(place, `turns: ${error.code}`, `conversation ${id}: ${error.message}`)
      tally.count('turns replayed')
      return found
    }
  }

  const record = async (step: RecordStep, place: Place) => {
    const { exported, audio, kept } = step
    const seq = exported?.[0]?.seq
    if (seq !== undefined && seq > nextSeq && !allowGaps)
      return stop(
        place,
        'turns: one before them is missing',
        `message ${nextSeq} of conversation ${id} is missing before this one, ${seq}`,
      )
    const messages = await recordOrFind(step, place)
    if (messages === undefined) return
    tally.kept(kept)
    if (exported !== undefined && seq !== undefined) {
      nextSeq = Math.max(nextSeq, seq + exported.length)
      if (messages[0]?.seq !== seq) tally.count('turns moved')
    }
    if (audio === undefined) return
    const now = messages.at(-1)
    if (isDeepStrictEqual([now?.ttsAudioUrls, now?.segmentId], [audio.urls, audio.segmentId]))
      attachments.carry(audio)
    else await tryAudio(place, () => attach(audio))
  }

  const segmentAudio = async (segmentId: string, urls: Audio['urls'], place: Place) => {
    if (await attachments.toSegment(segmentId, urls)) {
      waiting.delete(segmentId)
      tally.count('audio')
    } else waiting.set(segmentId, { urls, place })
  }

  const close = async (messages: number, place: Place) => {
    for (const [segmentId, { urls, place: said }] of waiting)
      await tryAudio(said, () => segmentAudio(segmentId, urls, said))
    for (const [segmentId, { place: said }] of waiting)
      tally.refused(said, 'audio of segments', `no message can give segment ${segmentId} its audio`)
    if (messages !== nextSeq - 1 && !allowGaps)
      tally.refused(
        place,
        'conversations: messages are missing',
        `conversation ${id} has ${messages} messages, and ${nextSeq - 1} were there to import`,
      )
  }

  const carryOut = (step: Step, place: Place): Promise<void> | void => {
    switch (step.do) {
      case 'create':
        return create(step, place)
      case 'record':
        return record(step, place)
      case 'segment':
        return createSegment(step.segmentId, true)
      case 'messageAudio':
        return tryAudio(place, () => attach(step.audio))
      case 'segmentAudio':
        return tryAudio(place, () => segmentAudio(step.segmentId, step.urls, place))
      case 'end':
        return close(step.messages, place)
      case 'withdraw':
        return stop(
          place,
          'conversations: erased while they were exported',
          `conversation ${id} was erased at its source: erase what was imported of it`,
        )
    }
  }

  return {
    async apply(step, place) {
      lastPlace = place
      if (step.do === 'end' || step.do === 'withdraw') hasEnded = true
      else if (stopped) return tally.held()
      if (stopped && step.do === 'end') return
      try {
        await carryOut(step, place)
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        stop(place, `${step.do}: ${error.code}`, `conversation ${id}: ${error.message}`)
      }
    },
    finish() {
      if (needsEnd && !hasEnded && lastPlace !== undefined)
        tally.failed(lastPlace, `the lines of conversation ${id} end here, without an \`end\``)
    },
  }
}

const shownOf = ({ externalId, title, metadata }: Conversation) => [externalId, title, metadata]

/** What of a message never changes. */
function lasting(message: ExportedMessage): unknown[] {
  const { id, seq, role, parts, messageType, voiceSessionId, durationSeconds, createdAt } = message
  return [
    [id, seq, role, parts, messageType, voiceSessionId, durationSeconds, createdAt],
    role === 'human' ? message.segmentId : null,
    message.memoryRetrievalTrace,
    message.metadata,
  ]
}
