/**
 * Writes the lines of one conversation. It is read page by page while other clients write to it.
 * Their changes are read afterwards, so that all lines together are the conversation at the version
 * of its last line.
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
import { type ExportItem, ExportItems } from './export-items.ts'
import {
  conversationLine,
  itemLine,
  laterLines,
  segmentAudioLines,
  segmentLine,
  sessionLines,
} from './export-lines.ts'
import { SegmentStates } from './segment-states.ts'

/** A conversation with its first pages. Most conversations have no more pages. */
export type Opened = {
  readonly conversation: Conversation
  readonly segments: SegmentList
  readonly messages: MessagePage
}

/**
 * Reads a conversation and its first pages. `listed` is the conversation if it was read before.
 * Pages are requested without a limit, so the service chooses their size.
 */
export async function openConversation(
  rest: Rest,
  id: string,
  listed?: Conversation,
): Promise<Opened> {
  const [conversation, segments, messages] = await Promise.all([
    listed ?? rest.getConversation(id),
    rest.listSegments(id),
    rest.listMessages(id, { after: 0 }),
  ])
  return { conversation, segments, messages }
}

/**
 * Yields the lines of a conversation. The last one is `end`, or `erased` if it was erased during
 * the export.
 */
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
  readonly #items = new ExportItems()
  /** The ids of the messages of which a line has a heard part. */
  readonly #heardIds = new Set<string>()
  /**
   * The lowest version of the first pages, and its cursor. Every other page has this version or a
   * later one.
   */
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
    // The audio of segments comes after the messages, because an import attaches it through a
    // message.
    if (hasAudio) yield* this.#segmentAudio()
    let { version } = this.#start
    if (Math.max(this.#newest, this.#states.newest) > version) version = yield* this.#changes()
    yield* this.#itemLines(this.#items.flush())
    yield { type: 'end', conversationId: this.#id, version, messages: this.#items.lastSeq }
  }

  /**
   * Yields every segment from a page on. `keepsStates` says whether their states are kept for the
   * turns.
   */
  async *#segments(first: SegmentList, keepsStates: boolean): AsyncGenerator<Segment> {
    const pages = pagesFrom(first, ({ nextPage }) =>
      nextPage === null ? undefined : this.#rest.listSegments(this.#id, { page: nextPage }),
    )
    for await (const { segments, version } of pages) {
      this.#noteVersion(version)
      if (keepsStates) this.#states.keep(segments, version)
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
      for (const { id, heard } of messages) if (heard !== null) this.#heardIds.add(id)
      yield* this.#itemLines(this.#items.add(messages))
    }
  }

  /** Yields the lines of all changes since the start. Returns the version up to which they go. */
  async *#changes(): AsyncGenerator<ExportLine, number> {
    const late = new Map<number, Message>()
    const segments = new Map<string, Segment>()
    let { cursor, version } = this.#start
    for (let hasMore = true; hasMore; ) {
      const page: ChangePage = await this.#rest.listChanges(this.#id, { since: cursor })
      this.#states.keep(page.segments ?? [], page.version)
      for (const segment of page.segments ?? []) {
        segments.set(segment.id, segment)
        yield segmentLine(segment)
      }
      for (const message of page.messages)
        if (message.seq > this.#items.lastSeq) late.set(message.seq, message)
        else yield* this.#changed(message)
      for (const session of page.voiceSessions ?? []) yield* sessionLines(session)
      ;({ cursor, version, hasMore } = page)
    }
    const inOrder = [...late.values()]
      .filter(({ state }) => state === 'filled')
      .sort((a, b) => a.seq - b.seq)
    yield* this.#itemLines(this.#items.add(inOrder))
    for (const segment of segments.values()) yield* segmentAudioLines(segment)
    return version
  }

  /** Yields the lines of a changed message that was written before, as a message or as a seat. */
  async *#changed(message: Message): Lines {
    if (message.role === 'ai') {
      yield* laterLines(message, this.#heardIds.has(message.id))
      if (message.heard !== null) this.#heardIds.add(message.id)
    } else if (message.state === 'filled') {
      // The only change of a human message is that its seat gets words.
      const item = this.#items.fillSeat(message)
      if (item !== undefined) yield await itemLine(this.#id, item, this.#states)
    }
  }

  async *#itemLines(items: Iterable<ExportItem>): Lines {
    for (const item of items) yield await itemLine(this.#id, item, this.#states)
  }

  #noteVersion(version: number): void {
    this.#newest = Math.max(this.#newest, version)
  }
}
