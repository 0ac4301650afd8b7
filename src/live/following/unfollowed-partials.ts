/**
 * UnfollowedPartials takes the interim texts that one socket sends for conversations to which it is
 * not subscribed. It keeps the channels of these conversations open for later texts.
 */
import type { Principal } from '../../conversation/wire/principal.ts'
import { Problem } from '../../problem.ts'
import type { Channel } from './channel.ts'
import type { Hub } from './hub.ts'
import type { Role } from './partials.ts'

/**
 * A channel to which the socket sent an interim text. `isChecked`: the conversation exists. While it
 * is looked up, only the latest text is kept, in `latest`.
 */
type SpokenChannel = { readonly channel: Channel; isChecked: boolean; latest: [Role, string] }

export class UnfollowedPartials {
  readonly #hub: Hub
  readonly #principal: Principal
  readonly #max: number
  /** The channels by conversation id. The channel of the most recent text is the last. */
  readonly #spoken = new Map<string, SpokenChannel>()

  constructor(hub: Hub, principal: Principal, max: number) {
    this.#hub = hub
    this.#principal = principal
    this.#max = max
  }

  /** Whether the conversation was looked up before, so that a text for it is cheap. */
  isOpen(conversationId: string): boolean {
    return this.#spoken.has(conversationId)
  }

  /**
   * Takes a text. Fails with `conversation-not-found`, `conversation-erased`,
   * `subscriptions-too-many` or a `database-` code. Only the first of the texts that arrive during
   * the lookup fails.
   */
  async update(conversationId: string, role: Role, text: string): Promise<void> {
    const found = this.#spoken.get(conversationId)
    if (found?.channel.absent === 'conversation-erased') this.#release(conversationId, found)
    else if (found !== undefined) {
      this.#spoken.delete(conversationId)
      this.#spoken.set(conversationId, found)
      if (found.isChecked) found.channel.partials.update(role, text)
      else found.latest = [role, text]
      return
    }
    if (this.#spoken.size >= this.#max) {
      const idle = [...this.#spoken].find(([, { isChecked }]) => isChecked)
      if (idle === undefined) throw new Problem('subscriptions-too-many')
      this.#release(...idle)
    }
    const spoken: SpokenChannel = {
      channel: this.#hub.hold(this.#principal, conversationId),
      isChecked: false,
      latest: [role, text],
    }
    this.#spoken.set(conversationId, spoken)
    try {
      const head = await spoken.channel.check()
      if (head === undefined) throw new Problem('conversation-not-found')
      if (head.isErased) throw new Problem('conversation-erased')
      spoken.isChecked = true
      if (this.#spoken.get(conversationId) === spoken)
        spoken.channel.partials.update(...spoken.latest)
    } catch (thrown) {
      if (this.#spoken.get(conversationId) === spoken) this.#release(conversationId, spoken)
      throw thrown
    }
  }

  #release(conversationId: string, { channel }: SpokenChannel): void {
    this.#spoken.delete(conversationId)
    this.#hub.release(channel)
  }

  /** Releases all channels. */
  end(): void {
    for (const { channel } of this.#spoken.values()) this.#hub.release(channel)
    this.#spoken.clear()
  }
}
