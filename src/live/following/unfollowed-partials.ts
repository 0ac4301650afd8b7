/**
 * UnfollowedPartials takes the interim texts of one socket in conversations that it does not follow. It
 * holds their channels open, once they are known to be there.
 */
import type { Principal } from '../../conversation/wire/principal.ts'
import { Problem } from '../../problem.ts'
import type { Channel } from './channel.ts'
import type { Hub } from './hub.ts'
import type { Role } from './partials.ts'

type Held = { readonly channel: Channel; isKnown: boolean; latest: [Role, string] }

export class UnfollowedPartials {
  readonly #hub: Hub
  readonly #principal: Principal
  readonly #max: number
  /** The one that spoke last stands last. */
  readonly #held = new Map<string, Held>()

  constructor(hub: Hub, principal: Principal, max: number) {
    this.#hub = hub
    this.#principal = principal
    this.#max = max
  }

  /** Whether the conversation need not be looked up. */
  isOpen(conversationId: string): boolean {
    return this.#held.has(conversationId)
  }

  /**
   * Fails with `conversation-not-found`, `conversation-erased`, `subscriptions-too-many` or
   * a `database-` code, once for all texts that come while the conversation is looked up.
   */
  async say(conversationId: string, role: Role, text: string): Promise<void> {
    const found = this.#held.get(conversationId)
    if (found?.channel.absent === 'conversation-erased') this.#release(conversationId, found)
    else if (found !== undefined) {
      this.#held.delete(conversationId)
      this.#held.set(conversationId, found)
      if (found.isKnown) found.channel.partials.say(role, text)
      else found.latest = [role, text]
      return
    }
    if (this.#held.size >= this.#max) {
      const idle = [...this.#held].find(([, { isKnown }]) => isKnown)
      if (idle === undefined) throw new Problem('subscriptions-too-many')
      this.#release(...idle)
    }
    const held: Held = {
      channel: this.#hub.hold(this.#principal, conversationId),
      isKnown: false,
      latest: [role, text],
    }
    this.#held.set(conversationId, held)
    try {
      const head = await held.channel.check()
      if (head === undefined) throw new Problem('conversation-not-found')
      if (head.isErased) throw new Problem('conversation-erased')
      held.isKnown = true
      if (this.#held.get(conversationId) === held) held.channel.partials.say(...held.latest)
    } catch (thrown) {
      if (this.#held.get(conversationId) === held) this.#release(conversationId, held)
      throw thrown
    }
  }

  #release(conversationId: string, { channel }: Held): void {
    this.#held.delete(conversationId)
    this.#hub.release(channel)
  }

  end(): void {
    for (const { channel } of this.#held.values()) this.#hub.release(channel)
    this.#held.clear()
  }
}
