/**
 * Links are the connections of one client. Writes go over the first one. More are made when one conversation is
 * followed twice, or more of them than the service takes on a socket.
 */
import { Link, type LinkOptions } from './link.ts'
import type { Recording, Subscriber } from './link-users.ts'

export type LinksOptions = {
  /** Throws a TypeError where the runtime has no WebSocket. */
  readonly linkOptions: () => Omit<LinkOptions, 'recording' | 'onCrowded' | 'onState'>
  readonly recording: () => Recording
  /** Called at each change of the first one's connection. */
  readonly onState: LinkOptions['onState']
}

export class Links {
  readonly #options: LinksOptions
  readonly #links: Link[] = []
  #closed: { readonly reason: unknown } | undefined

  constructor(options: LinksOptions) {
    this.#options = options
  }

  /** Makes the first link where there is none. It connects when it is opened. */
  main(): Link {
    const { recording, onState } = this.#options
    return this.#links[0] ?? this.#make({ recording: recording(), onState })
  }

  /** Connects the first link; not after `close`. */
  open(): void {
    if (this.#closed === undefined) this.main().connection.open()
  }

  /** Sends a frame over the first link. False: there is no open connection, and nothing was sent. */
  send(frame: string): boolean {
    return this.#links[0]?.connection.send(frame) ?? false
  }

  /** Characters that were sent over the first link and have not left this machine. */
  waiting(): number {
    return this.#links[0]?.connection.waiting() ?? 0
  }

  /** Finds a link with room for the subscriber, or makes one. */
  add(subscriber: Subscriber): void {
    if (this.#closed !== undefined) subscriber.fail(this.#closed.reason)
    else {
      this.main()
      const isAdded = this.#links.some((link) => link.add(subscriber))
      if (!isAdded) this.#make({ onState: () => {} }).add(subscriber)
    }
  }

  close(reason: unknown): void {
    this.#closed = { reason }
    for (const link of this.#links) {
      for (const subscriber of link.subscribers()) subscriber.fail(reason)
      link.connection.close()
    }
  }

  #make(given: Pick<LinkOptions, 'recording' | 'onState'>): Link {
    const link = new Link({
      ...this.#options.linkOptions(),
      ...given,
      onCrowded: (subscriber) => this.add(subscriber),
    })
    this.#links.push(link)
    return link
  }
}
