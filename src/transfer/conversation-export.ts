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
} from '../conversation/wire.ts'
import { type ExportedMessage, type ExportLine, exportVersion } from './export-format.ts'
import { pagesFrom } from './pages.ts'
import { Refused, type Rest } from './rest.ts'
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

  const turns = createTurns()
  const messagePages = pagesFrom(opened.messages, ({ messages, hasMore }) =>
    hasMore ? rest.get<MessagePage>(messagesPath(id, messages.at(-1)?.seq ?? 0)) : undefined,
  )
  for await (const { messages, version } of messagePages) {
    newest = Math.max(newest, version)
    for (const turn of turns.add(messages)) yield await turnLine(id, turn, states)
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
        // Nothing else of a message changes, and audio never goes away.
        else if (message.role === 'ai' && message.ttsAudioUrls !== null)
          yield {
            type: 'messageAudio',
            conversationId: id,
            messageId: message.id,
            segmentId: message.segmentId,
            ttsAudioUrls: message.ttsAudioUrls,
          }
      }
      version = page.version
      cursor = page.cursor
      more = page.hasMore
    }
    const inOrder = [...late.values()].sort((a, b) => a.seq - b.seq)
    for (const turn of turns.add(inOrder)) yield await turnLine(id, turn, states)
    for (const segment of lateSegments.values()) yield* segmentAudio(segment)
  }
  yield { type: 'end', conversationId: id, version, messages: turns.lastSeq() }
}

/** Messages in order -> whole turns; a page may end in the middle of one. */
function createTurns() {
  let lastSeq = 0
  let human: Message | undefined
  return {
    lastSeq: () => lastSeq,
    *add(messages: readonly Message[]): Generator<Message[]> {
      for (const message of messages) {
        if (message.seq !== lastSeq + 1)
          throw new Error(`Message ${lastSeq + 1} of ${message.conversationId} is missing.`)
        lastSeq = message.seq
        if (message.role === 'human') {
          human = message
          continue
        }
        const turn = human === undefined ? [message] : [human, message]
        human = undefined
        yield turn
      }
    },
  }
}

async function turnLine(
  conversationId: string,
  turn: readonly Message[],
  states: SegmentStates,
): Promise<ExportLine> {
  const [first] = turn
  const segmentId = first?.role === 'human' ? first.segmentId : null
  const segment =
    first === undefined || segmentId === null
      ? undefined
      : await states.since(segmentId, first.version)
  const completes =
    segmentId !== null && segment?.userMessageId === first?.id && segment !== undefined
      ? { completes: { segmentId, agentResponse: segment.agentResponse ?? '' } }
      : {}
  return { type: 'turn', conversationId, messages: turn.map(exported), ...completes }
}

function exported(message: Message): ExportedMessage {
  const { conversationId: _, turnId: __, version: ___, content: ____, ...rest } = message
  return rest
}

function segmentLine(segment: Segment): ExportLine {
  const { version: _, ttsAudioUrls: __, ...rest } = segment
  return { type: 'segment', ...rest }
}

function* segmentAudio(segment: Segment): Generator<ExportLine> {
  const { conversationId, id: segmentId, ttsAudioUrls } = segment
  if (ttsAudioUrls !== null) yield { type: 'segmentAudio', conversationId, segmentId, ttsAudioUrls }
}
