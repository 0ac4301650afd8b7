/**
 * The lines of one conversation. It is read by pages while others go on writing; what they changed
 * is read afterwards, so that all lines together are the conversation at the version of the last.
 */
import type { Rest } from '../../client/client.ts'
import type {
  ChangePage,
  Conversation,
  Message,
  MessagePage,
  Segment,
  SegmentList,
} from '../../conversation/wire/schemas.ts'
import type { ExportLine } from '../formats/export-format.ts'
import { pagesFrom } from '../pages.ts'
import { refusalOf } from '../service-client.ts'
import {
  conversationLine,
  laterLines,
  placedLine,
  segmentAudioLines,
  segmentLine,
  sessionLines,
} from './export-lines.ts'
import { ExportTurns, type Placed } from './export-turns.ts'
import { SegmentStates } from './segment-states.ts'

/** A conversation with its first pages: all there is of most conversations. */
export type Opened = {
  readonly conversation: Conversation
  readonly segments: SegmentList
  readonly messages: MessagePage
}

// No page has a limit: the service chooses the size.

export async function openConversation(
  rest: Rest,
  id: string,
  known?: Conversation,
): Promise<Opened> {
  const [conversation, segments, messages] = await Promise.all([
    known ?? rest.getConversation(id),
    rest.listSegments(id),
    rest.listMessages(id, { after: 0 }),
  ])
  return { conversation, segments, messages }
}

/** Ends with an `end` line, or with an `erased` line where the conversation was erased meanwhile. */
export async function* conversationLines(rest: Rest, opened: Opened): AsyncGenerator<ExportLine> {
  try {
    yield* new ConversationExport(rest, opened).lines()
  } catch (error) {
    if (refusalOf(error)?.code !== 'conversation-erased') throw error
    yield { type: 'erased', conversationId: opened.conversation.id }
  }
}

type Lines = AsyncGenerator<ExportLine>

class ConversationExport {
  readonly #rest: Rest
  readonly #opened: Opened
  readonly #id: string
  readonly #states: SegmentStates
  readonly #turns = new ExportTurns()
  /** The version that every page has or exceeds, and its cursor. */
  readonly #start: { readonly version: number; readonly cursor: string }
  /** The newest version of a page so far. */
  #newest: number

  constructor(rest: Rest, opened: Opened) {
    const { conversation, segments, messages } = opened
    this.#rest = rest
    this.#opened = opened
    this.#id = conversation.id
    this.#states = new SegmentStates(rest, conversation.id)
    this.#start = segments.version < messages.version ? segments : messages
    this.#newest = this.#start.version
  }

  async *lines(): Lines {
    yield conversationLine(this.#opened.conversation)
    let hasAudio = false
    for await (const segment of this.#segments(this.#opened.segments, true)) {
      hasAudio ||= segment.ttsAudioUrls !== null
      yield segmentLine(segment)
    }
    yield* this.#sessions()
    yield* this.#messages()
    // Only after the messages: a segment gets its audio by way of a message.
    if (hasAudio) yield* this.#segmentAudio()
    let { version } = this.#start
    if (Math.max(this.#newest, this.#states.newest) > version) version = yield* this.#changes()
    yield* this.#placed(this.#turns.flush())
    yield { type: 'end', conversationId: this.#id, version, messages: this.#turns.lastSeq }
  }

  /** Every segment from a page on; `learns`: whether their states are kept for the turns. */
  async *#segments(first: SegmentList, learns: boolean): AsyncGenerator<Segment> {
    const pages = pagesFrom(first, ({ nextPage }) =>
      nextPage === null ? undefined : this.#rest.listSegments(this.#id, { page: nextPage }),
    )
    for await (const { segments, version } of pages) {
      this.#noteVersion(version)
      if (learns) this.#states.learn(segments, version)
      yield* segments
    }
  }

  async *#segmentAudio(): Lines {
    const isOnePage = this.#opened.segments.nextPage === null
    const first = isOnePage ? this.#opened.segments : await this.#rest.listSegments(this.#id)
    for await (const segment of this.#segments(first, false)) yield* segmentAudioLines(segment)
  }

  async *#sessions(): Lines {
    const first = await this.#rest.listVoiceSessions(this.#id)
    const pages = pagesFrom(first, ({ nextPage }) =>
      nextPage === null ? undefined : this.#rest.listVoiceSessions(this.#id, { page: nextPage }),
    )
    for await (const { voiceSessions, version } of pages) {
      this.#noteVersion(version)
      for (const session of voiceSessions) yield* sessionLines(session)
    }
  }

  async *#messages(): Lines {
    const pages = pagesFrom(this.#opened.messages, ({ messages, hasMore }) =>
      hasMore ? this.#rest.listMessages(this.#id, { after: messages.at(-1)?.seq ?? 0 }) : undefined,
    )
    for await (const { messages, version } of pages) {
      this.#noteVersion(version)
      yield* this.#placed(this.#turns.add(messages))
    }
  }

  /** What was written since the start, up to the version that it returns. */
  async *#changes(): AsyncGenerator<ExportLine, number> {
    const late = new Map<number, Message>()
    const segments = new Map<string, Segment>()
    let { cursor, version } = this.#start
    for (let hasMore = true; hasMore; ) {
      const page: ChangePage = await this.#rest.listChanges(this.#id, { since: cursor })
      this.#states.learn(page.segments ?? [], page.version)
      for (const segment of page.segments ?? []) {
        segments.set(segment.id, segment)
        yield segmentLine(segment)
      }
      for (const message of page.messages)
        if (message.seq > this.#turns.lastSeq) late.set(message.seq, message)
        else yield* this.#changed(message)
      for (const session of page.voiceSessions ?? []) yield* sessionLines(session)
      ;({ cursor, version, hasMore } = page)
    }
    const inOrder = [...late.values()]
      .filter(({ state }) => state === 'filled')
      .sort((a, b) => a.seq - b.seq)
    yield* this.#placed(this.#turns.add(inOrder))
    for (const segment of segments.values()) yield* segmentAudioLines(segment)
    return version
  }

  /** A message whose line, or whose seat, was written before. */
  async *#changed(message: Message): Lines {
    if (message.role === 'ai') yield* laterLines(message)
    else if (message.state === 'filled') {
      // Of a human message nothing changes but that its seat gets words.
      const placed = this.#turns.filled(message)
      if (placed !== undefined) yield await placedLine(this.#id, placed, this.#states)
    }
  }

  async *#placed(all: Iterable<Placed>): Lines {
    for (const placed of all) yield await placedLine(this.#id, placed, this.#states)
  }

  #noteVersion(version: number): void {
    this.#newest = Math.max(this.#newest, version)
  }
}
