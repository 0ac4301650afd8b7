/** Who speaks on a socket without following: the conversations are held open, and known to be there. */
import type { Principal } from '../../conversation/wire/principal.ts'
import { Problem } from '../../problem.ts'
import type { Channel } from './channel.ts'
import type { Hub } from './hub.ts'
import type { Role } from './partials.ts'

type Spoken = { readonly channel: Channel; isKnown: boolean; latest: [Role, string] }

export class Speech {
  readonly #hub: Hub
  readonly #principal: Principal
  readonly #most: number
  /** The one that spoke last stands last. */
  readonly #spoken = new Map<string, Spoken>()

  constructor(hub: Hub, principal: Principal, most: number) {
    this.#hub = hub
    this.#principal = principal
    this.#most = most
  }

  /** Whether the conversation need not be looked up. */
  isOpen(c: string): boolean {
    return this.#spoken.has(c)
  }

  /**
   * Fails with `conversation-not-found`, `conversation-erased`, `subscriptions-too-many` or
   * a `database-` code, once for what is said while the conversation is looked for.
   */
  async say(c: string, role: Role, text: string): Promise<void> {
    const found = this.#spoken.get(c)
    if (found?.channel.absent === 'conversation-erased') this.#release(c, found)
    else if (found !== undefined) {
      this.#spoken.delete(c)
      this.#spoken.set(c, found)
      if (found.isKnown) found.channel.partials.say(role, text)
      else found.latest = [role, text]
      return
    }
    if (this.#spoken.size >= this.#most) {
      const idle = [...this.#spoken].find(([, { isKnown }]) => isKnown)
      if (idle === undefined) throw new Problem('subscriptions-too-many')
      this.#release(...idle)
    }
    const spoken: Spoken = {
      channel: this.#hub.hold(this.#principal, c),
      isKnown: false,
      latest: [role, text],
    }
    this.#spoken.set(c, spoken)
    try {
      const head = await spoken.channel.check()
      if (head === undefined) throw new Problem('conversation-not-found')
      if (head.erased) throw new Problem('conversation-erased')
      spoken.isKnown = true
      if (this.#spoken.get(c) === spoken) spoken.channel.partials.say(...spoken.latest)
    } catch (thrown) {
      if (this.#spoken.get(c) === spoken) this.#release(c, spoken)
      throw thrown
    }
  }

  #release(c: string, { channel }: Spoken): void {
    this.#spoken.delete(c)
    this.#hub.release(channel)
  }

  end(): void {
    for (const { channel } of this.#spoken.values()) this.#hub.release(channel)
    this.#spoken.clear()
  }
}
