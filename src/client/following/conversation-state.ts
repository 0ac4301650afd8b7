/** ConversationState is the state of a conversation that results from its changes. Apps show it, tests compare it. */
import type { Change, Conversation, Message, Segment } from '../../conversation/wire/schemas.ts'
import type { Role } from '../wire/client-frames.ts'
import type { LiveEvent } from './live-event.ts'

/** The state of a followed conversation. */
export type ConversationState = {
  /** The conversation without its messages. Null until a change has brought it. */
  readonly conversation: Conversation | null
  /** The messages in the order of `seq`. After a `tail`: the newest ones, and older ones that have changed since. */
  readonly messages: readonly Message[]
  /** The segments that the changes have brought. */
  readonly segments: readonly Segment[]
  /** The version of the last change; it is 0 before the first one. */
  readonly version: number
  /** The cursor of the last change. Store it beside your own state, and pass it to `live` or `listChanges` later. */
  readonly cursor: string | undefined
  /** Whether the conversation was erased. */
  readonly erased: boolean
  /** The partial of each speaker: the text so far of a message that is not recorded yet. */
  readonly partials: Readonly<Partial<Record<Role, string>>>
}

/** A state and the functions that change and copy it. */
export type ConversationFold = ConversationState & ConversationFoldApi

export type ConversationFoldApi = {
  /**
   * Applies an event of `live()`, or a page of `listChanges()`.
   *
   * @param event The event or the page.
   * @example
   * const state = createConversationState()
   * state.apply(await client.listChanges(id))
   */
  apply(event: LiveEvent | Change): void
  /**
   * Copies the state.
   *
   * @returns The state as it is now. Later events do not change it.
   * @example
   * const state = createConversationState()
   * const { messages, partials } = state.snapshot()
   */
  snapshot(): ConversationState
}

/**
 * Makes an empty state. Apply the events of `live()` or the pages of `listChanges()` to it.
 *
 * @returns The state, with `apply` and `snapshot`.
 * @example
 * const state = createConversationState()
 * for await (const event of client.live(id, { tail: 20 })) {
 *   state.apply(event)
 *   if (event.type === 'live') break
 * }
 */
export function createConversationState(): ConversationFold {
  const messages = new Map<string, Message>()
  const segments = new Map<string, Segment>()
  let partials: Partial<Record<Role, string>> = {}
  let conversation: Conversation | null = null
  let version = 0
  let cursor: string | undefined
  let sorted: readonly Message[] | undefined

  const clear = () => {
    messages.clear()
    segments.clear()
    partials = {}
    sorted = undefined
  }

  const removePartial = (role: Role) => {
    const { [role]: _, ...others } = partials
    partials = others
  }

  const change = (range: Change, snapshot: boolean) => {
    if (snapshot) {
      clear()
      conversation = null
    } else if (range.version <= version) return
    for (const message of range.messages) {
      // The words of a speaker replace the partial: a new message with words, or the words of a seat.
      // A seat, and a change of an older message such as its audio, leave it.
      const hadWords = messages.get(message.id)?.state === 'filled'
      if (message.state === 'filled' && !hadWords) removePartial(message.role)
      messages.set(message.id, message)
    }
    for (const segment of range.segments ?? []) segments.set(segment.id, segment)
    conversation = range.conversation ?? conversation
    if (conversation !== null && conversation.erasedAt !== null) clear()
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
        removePartial(event.role)
        // An empty text removes the partial.
        if (event.text !== '') partials = { ...partials, [event.role]: event.text }
      } else if (event.type === 'reset') {
        const erased = fold.erased
        clear()
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
