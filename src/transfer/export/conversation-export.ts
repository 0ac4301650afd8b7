/**
 * The lines of one conversation. It is read by pages while others go on writing; what they changed
 * is read afterwards, so that all lines together are the conversation at the version of the last.
 */
import type {
  ChangePage,
  Conversation,
  Message,
  MessagePage,
  Segment,
  SegmentList,
  VoiceSession,
} from '../../conversation/wire/schemas.ts'
import type { VoiceSessionList } from '../../conversation/wire/voice-schemas.ts'
import { type ExportedMessage, type ExportLine, exportVersion } from '../formats/export-format.ts'
import { pagesFrom } from '../pages.ts'
import { Refused, type Rest } from '../rest.ts'
import { createTurns, type Placed } from './export-turns.ts'
import { createSegmentStates, type SegmentStates } from './segment-states.ts'

/** A conversation with its first pages: all there is of most conversations. */
export type Opened = {
  readonly conversation: Conversation
  readonly segments: SegmentList
  readonly messages: MessagePage
}

const pathOf = (id: string) => `/v1/conversations/${id}`
// Without a limit, pages have the size that the service likes.
const segmentsPath = (id: string, page: string | null) =>
  `${pathOf(id)}/segments${page === null ? '' : `?page=${encodeURIComponent(page)}`}`
const sessionsPath = (id: string, page: string | null) =>
  `${pathOf(id)}/voice-sessions${page === null ? '' : `?page=${encodeURIComponent(page)}`}`
const messagesPath = (id: string, after: number) => `${pathOf(id)}/messages?after=${after}`

export async function openConversation(
  rest: Rest,
  id: string,
  known?: Conversation,
): Promise<Opened> {
  const [conversation, segments, messages] = await Promise.all([
    known ?? rest.get<Conversation>(pathOf(id)),
    rest.get<SegmentList>(segmentsPath(id, null)),
    rest.get<MessagePage>(messagesPath(id, 0)),
  ])
  return { conversation, segments, messages }
}

/** Ends with an `end` line; with an `erased` one where the conversation was erased meanwhile. */
export async function* conversationLines(rest: Rest, opened: Opened): AsyncGenerator<ExportLine> {
  try {
    yield* wholeLines(rest, opened)
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== 'conversation-erased') throw error
    yield { type: 'erased', conversationId: opened.conversation.id }
  }
}

async function* wholeLines(rest: Rest, opened: Opened): AsyncGenerator<ExportLine> {
  const { id, externalId, title, metadata, createdAt } = opened.conversation
  yield {
    type: 'conversation',
    turnlog: exportVersion,
    id,
    externalId,
    title,
    metadata,
    createdAt,
  }

  const states = createSegmentStates(rest, pathOf(id))
  // Everything is read at this version or later.
  const start =
    opened.segments.version < opened.messages.version ? opened.segments : opened.messages
  let newest = start.version

  const segmentPages = (first: SegmentList) =>
    pagesFrom(first, ({ nextPage }) =>
      nextPage === null ? undefined : rest.get<SegmentList>(segmentsPath(id, nextPage)),
    )
  let anyAudio = false
  for await (const { segments, version } of segmentPages(opened.segments)) {
    newest = Math.max(newest, version)
    states.learn(segments, version)
    for (const segment of segments) {
      anyAudio ||= segment.ttsAudioUrls !== null
      yield segmentLine(segment)
    }
  }

  const sessionPages = pagesFrom(
    await rest.get<VoiceSessionList>(sessionsPath(id, null)),
    ({ nextPage }) =>
      nextPage === null ? undefined : rest.get<VoiceSessionList>(sessionsPath(id, nextPage)),
  )
  for await (const { voiceSessions, version } of sessionPages) {
    newest = Math.max(newest, version)
    for (const session of voiceSessions) yield* sessionLine(session)
  }

  const turns = createTurns()
  const messagePages = pagesFrom(opened.messages, ({ messages, hasMore }) =>
    hasMore ? rest.get<MessagePage>(messagesPath(id, messages.at(-1)?.seq ?? 0)) : undefined,
  )
  for await (const { messages, version } of messagePages) {
    newest = Math.max(newest, version)
    for (const placed of turns.add(messages)) yield await lineOf(id, placed, states)
  }

  if (anyAudio) {
    // Only after the messages: a segment gets its audio by way of one.
    const one = opened.segments.nextPage === null
    const again = one ? opened.segments : await rest.get<SegmentList>(segmentsPath(id, null))
    for await (const { segments, version } of segmentPages(again)) {
      newest = Math.max(newest, version)
      for (const segment of segments) yield* segmentAudio(segment)
    }
  }

  let version = start.version
  if (Math.max(newest, states.newest()) > start.version) {
    const late = new Map<number, Message>()
    const lateSegments = new Map<string, Segment>()
    let { cursor } = start
    for (let more = true; more; ) {
      const page: ChangePage = await rest.get(
        `${pathOf(id)}/changes?since=${encodeURIComponent(cursor)}`,
      )
      states.learn(page.segments ?? [], page.version)
      for (const segment of page.segments ?? []) {
        lateSegments.set(segment.id, segment)
        yield segmentLine(segment)
      }
      for (const message of page.messages) {
        if (message.seq > turns.lastSeq()) late.set(message.seq, message)
        else if (message.role === 'ai') yield* changed(message)
        else if (message.state === 'filled') {
          // Of a human message nothing changes but that its seat gets words.
          const placed = turns.filled(message)
          if (placed !== undefined) yield await lineOf(id, placed, states)
        }
      }
      for (const session of page.voiceSessions ?? []) yield* sessionLine(session)
      version = page.version
      cursor = page.cursor
      more = page.hasMore
    }
    const inOrder = [...late.values()]
      .filter(({ state }) => state === 'filled')
      .sort((a, b) => a.seq - b.seq)
    for (const placed of turns.add(inOrder)) yield await lineOf(id, placed, states)
    for (const segment of lateSegments.values()) yield* segmentAudio(segment)
  }
  for (const placed of turns.flush()) yield await lineOf(id, placed, states)
  yield { type: 'end', conversationId: id, version, messages: turns.lastSeq() }
}

async function lineOf(
  conversationId: string,
  placed: Placed,
  states: SegmentStates,
): Promise<ExportLine> {
  if (placed.kind === 'seat') return { type: 'seat', conversationId, seq: placed.seq }
  const messages = placed.kind === 'turn' ? placed.messages : [placed.message]
  const [first] = messages
  const humanId = placed.kind === 'half' ? placed.humanId : first?.id
  const isCompleting = placed.kind === 'half' ? first?.role === 'ai' : first?.role === 'human'
  const segmentId = isCompleting ? (first?.segmentId ?? null) : null
  const segment =
    first === undefined || segmentId === null
      ? undefined
      : await states.since(segmentId, first.version)
  const completes =
    segmentId !== null && segment !== undefined && segment.userMessageId === humanId
      ? { completes: { segmentId, agentResponse: segment.agentResponse ?? '' } }
      : {}
  if (placed.kind === 'turn')
    return { type: 'turn', conversationId, messages: messages.map(exported), ...completes }
  const { seat, message } = placed
  return { type: 'half', conversationId, seat, message: exported(message), ...completes }
}

function exported(message: Message): ExportedMessage {
  const { conversationId: _, turnId: __, version: ___, content: ____, ...rest } = message
  return rest
}

/** What came to an answer after its line was written; audio never goes away. */
function* changed(message: Message): Generator<ExportLine> {
  const { conversationId, id: messageId, segmentId, ttsAudioUrls, heard, interruptedAt } = message
  if (ttsAudioUrls !== null)
    yield { type: 'messageAudio', conversationId, messageId, segmentId, ttsAudioUrls }
  if (heard !== null && interruptedAt !== null)
    yield { type: 'heard', conversationId, messageId, heard, interruptedAt }
}

/** One that has nothing of its own begins again with its first turn. */
function* sessionLine(session: VoiceSession): Generator<ExportLine> {
  const { conversationId, id, metadata, startedAt, endedAt } = session
  if (metadata !== null || endedAt !== null)
    yield { type: 'voiceSession', conversationId, id, metadata, startedAt, endedAt }
}

function segmentLine(segment: Segment): ExportLine {
  const { version: _, ttsAudioUrls: __, ...rest } = segment
  return { type: 'segment', ...rest }
}

function* segmentAudio(segment: Segment): Generator<ExportLine> {
  const { conversationId, id: segmentId, ttsAudioUrls } = segment
  if (ttsAudioUrls !== null) yield { type: 'segmentAudio', conversationId, segmentId, ttsAudioUrls }
}
