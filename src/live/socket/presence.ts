/** Which voice sessions the sockets of this node speak in: as long as one does, a session goes on. */
import type { SessionName } from '../../conversation/speech/voice-session-store.ts'

const nameOf = ({ tenant, conversationId, id }: SessionName) =>
  JSON.stringify([tenant, conversationId, id])

export type Leases = {
  /** Somebody speaks in them. */
  carryOn(names: readonly SessionName[]): Promise<void>
  /** Nobody of this node speaks in them any more: the grace runs. */
  leave(names: readonly SessionName[]): Promise<void>
}

/** How many leases one statement renews. */
const carriedMax = 500

export class Presence {
  readonly #spoken = new Map<string, { name: SessionName; sockets: Set<object> }>()
  readonly #bySocket = new Map<object, Set<string>>()
  readonly #gone = new WeakSet()
  readonly #everyMs: number
  readonly #leases: Leases
  #carriedAt = performance.now()
  #isCarrying = false
  /** One after another: a lease carried on late would outlive who left. */
  #last: Promise<void> = Promise.resolve()

  constructor(graceSeconds: number, leases: Leases) {
    // Where another node left a session, two may be lost before it ends though somebody speaks in it here.
    this.#everyMs = (graceSeconds * 1000) / 3
    this.#leases = leases
  }

  speaks(socket: object, name: SessionName): void {
    // It went while its session was being started.
    if (this.#gone.has(socket)) {
      this.#left([name])
      return
    }
    const key = nameOf(name)
    const found = this.#spoken.get(key) ?? { name, sockets: new Set() }
    found.sockets.add(socket)
    this.#spoken.set(key, found)
    const keys = this.#bySocket.get(socket) ?? new Set()
    this.#bySocket.set(socket, keys.add(key))
  }

  ended(name: SessionName): void {
    const key = nameOf(name)
    for (const socket of this.#spoken.get(key)?.sockets ?? []) {
      const keys = this.#bySocket.get(socket)
      keys?.delete(key)
      if (keys?.size === 0) this.#bySocket.delete(socket)
    }
    this.#spoken.delete(key)
  }

  /** The socket is gone; from now on the grace runs for sessions that have no other. */
  gone(socket: object): void {
    const left: SessionName[] = []
    for (const key of this.#bySocket.get(socket) ?? []) {
      const found = this.#spoken.get(key)
      if (found?.sockets.delete(socket) !== true || found.sockets.size > 0) continue
      this.#spoken.delete(key)
      left.push(found.name)
    }
    this.#bySocket.delete(socket)
    this.#gone.add(socket)
    if (left.length > 0) this.#left(left)
  }

  tick(now: number): void {
    if (now - this.#carriedAt < this.#everyMs || this.#isCarrying || this.#spoken.size === 0) return
    this.#carriedAt = now
    this.#isCarrying = true
    const names = [...this.#spoken.values()].map(({ name }) => name)
    const calls: Promise<void>[] = []
    for (let at = 0; at < names.length; at += carriedMax) {
      const some = names.slice(at, at + carriedMax)
      calls.push(this.#next(() => this.#leases.carryOn(some.filter((one) => this.#isSpoken(one)))))
    }
    void Promise.all(calls).then(() => {
      this.#isCarrying = false
    })
  }

  #left(names: readonly SessionName[]): void {
    void this.#next(() => this.#leases.leave(names.filter((name) => !this.#isSpoken(name))))
  }

  #isSpoken(name: SessionName): boolean {
    return this.#spoken.has(nameOf(name))
  }

  #next(call: () => Promise<void>): Promise<void> {
    // `carryOn` and `leave` log their failures.
    this.#last = this.#last.then(call).catch(() => {})
    return this.#last
  }
}
