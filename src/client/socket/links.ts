/**
 * Links are the connections of one client. The first link carries the writes. The client opens further links if one
 * conversation is followed twice, or if it follows more conversations than the service allows on one socket.
 */
import { Link, type LinkOptions } from './link.ts'
import type { Recording, Subscriber } from './link-users.ts'

export type LinksOptions = {
  /** Makes the options of a link. Throws a TypeError if the runtime has no WebSocket. */
  readonly linkOptions: () => Omit<LinkOptions, 'recording' | 'onCrowded' | 'onState'>
  readonly recording: () => Recording
  /** Called at each change of state of the first link's connection. */
  readonly onState: LinkOptions['onState']
}

export class Links {
  readonly #options: LinksOptions
  readonly #links: Link[] = []
  #closed: { readonly reason: unknown } | undefined

  constructor(options: LinksOptions) {
    this.#options = options
  }

  /** Returns the first link, and makes it if there is none. It does not connect yet. */
  main(): Link {
    const { recording, onState } = this.#options
    return this.#links[0] ?? this.#make({ recording: recording(), onState })
  }

  /** Connects the first link, unless the client is closed. */
  open(): void {
    if (this.#closed === undefined) this.main().connection.open()
  }

  /** Sends a frame over the first link. Returns false if no connection is open; then nothing was sent. */
  send(frame: string): boolean {
    return this.#links[0]?.connection.send(frame) ?? false
  }

  /** Characters that were sent over the first link and have not left this machine yet. */
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

  /** Ends all subscriptions with `reason`, and closes all connections. */
  close(reason: unknown): void {
    this.#closed = { reason }
    for (const link of this.#links) {
      for (const subscriber of link.subscribers()) subscriber.fail(reason)
      link.connection.close()
    }
  }

  #make(options: Pick<LinkOptions, 'recording' | 'onState'>): Link {
    const link = new Link({
      ...this.#options.linkOptions(),
      ...options,
      onCrowded: (subscriber) => this.add(subscriber),
    })
    this.#links.push(link)
    return link
  }
}
