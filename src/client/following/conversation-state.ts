/** A conversation as its changes add up: what an app shows, and what a test compares. */
import type { Change, Conversation, Message, Segment } from '../../conversation/wire/schemas.ts'
import type { Role } from '../wire/client-frames.ts'
import type { LiveEvent } from './live-event.ts'

export type ConversationState = {
  /** Null until a change has brought it. */
  readonly conversation: Conversation | null
  /** By `seq`. After a tail, only the newest, and older ones that have changed since. */
  readonly messages: readonly Message[]
  readonly segments: readonly Segment[]
  /** 0: nothing is known yet. */
  readonly version: number
  /** Where to go on from: keep it beside what you keep. */
  readonly cursor: string | undefined
  readonly erased: boolean
  /** What each speaker is just saying, and is not durable yet. */
  readonly partials: Readonly<Partial<Record<Role, string>>>
}

export type ConversationFold = ConversationState & {
  /** Takes an event of `live()`, or a page of `listChanges()`. */
  apply(event: LiveEvent | Change): void
  /** The state as it is now, which later events do not change. */
  snapshot(): ConversationState
}

/**
 * Makes an empty state, to which the events of `live()` and pages of `listChanges()` are added.
 *
 * @example
 * const state = createConversationState()
 * for await (const event of client.live(id, { tail: 20 })) state.apply(event)
 */
export function createConversationState(): ConversationFold {
  const messages = new Map<string, Message>()
  const segments = new Map<string, Segment>()
  let partials: Partial<Record<Role, string>> = {}
  let conversation: Conversation | null = null
  let version = 0
  let cursor: string | undefined
  let sorted: readonly Message[] | undefined

  const forget = () => {
    messages.clear()
    segments.clear()
    partials = {}
    sorted = undefined
  }

  const unsay = (role: Role) => {
    const { [role]: _, ...others } = partials
    partials = others
  }

  const change = (range: Change, snapshot: boolean) => {
    if (snapshot) {
      forget()
      conversation = null
    } else if (range.version <= version) return
    for (const message of range.messages) {
      // Audio for what was said before ends nothing.
      if (!messages.has(message.id)) unsay(message.role)
      messages.set(message.id, message)
    }
    for (const segment of range.segments ?? []) segments.set(segment.id, segment)
    conversation = range.conversation ?? conversation
    if (conversation !== null && conversation.erasedAt !== null) forget()
    version = range.version
    cursor = range.cursor
    sorted = undefined
  }

  const fold: ConversationFold = {
    get conversation() {
      return conversation
    },
    get messages() {
      sorted ??= [...messages.values()].sort((one, other) => one.seq - other.seq)
      return sorted
    },
    get segments() {
      return [...segments.values()]
    },
    get version() {
      return version
    },
    get cursor() {
      return cursor
    },
    get erased() {
      return conversation !== null && conversation.erasedAt !== null
    },
    get partials() {
      return partials
    },
    apply(event) {
      if (!('type' in event)) change(event, false)
      else if (event.type === 'change') change(event, event.snapshot)
      else if (event.type === 'partial') {
        unsay(event.role)
        // Empty takes it back.
        if (event.text !== '') partials = { ...partials, [event.role]: event.text }
      } else if (event.type === 'reset') {
        const erased = fold.erased
        forget()
        if (!erased) conversation = null
        version = 0
        cursor = undefined
      }
    },
    snapshot() {
      const { apply: _, snapshot: __, ...state } = fold
      return state
    },
  }
  return fold
}
