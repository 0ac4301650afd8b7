/**
 * Presence knows which sockets of this node are in which voice sessions. A session stays open while
 * a socket is in it.
 */
import type { SessionName } from '../../conversation/speech/voice-session-store.ts'

const nameOf = ({ tenant, conversationId, id }: SessionName) =>
  JSON.stringify([tenant, conversationId, id])

export type Leases = {
  /** Renews the leases of these sessions: a socket of this node is in each. */
  renew(names: readonly SessionName[]): Promise<void>
  /** Starts the grace period of these sessions: no socket of this node is in them any more. */
  leave(names: readonly SessionName[]): Promise<void>
}

/** The maximum number of leases that one statement renews. */
const renewedMax = 500

export class Presence {
  readonly #sessions = new Map<string, { name: SessionName; sockets: Set<object> }>()
  readonly #bySocket = new Map<object, Set<string>>()
  readonly #closedSockets = new WeakSet()
  readonly #everyMs: number
  readonly #leases: Leases
  #renewedAt = performance.now()
  #isRenewing = false
  /**
   * The last call of the database. Calls run one after another, because a late renewal would undo a
   * later leave.
   */
  #last: Promise<void> = Promise.resolve()

  constructor(graceSeconds: number, leases: Leases) {
    // Three renewals in a grace period. Two may fail before a session that another node has left
    // ends although a socket of this node is in it.
    this.#everyMs = (graceSeconds * 1000) / 3
    this.#leases = leases
  }

  /** Called when the socket has started or joined the session. */
  joined(socket: object, name: SessionName): void {
    // The socket may have closed while its session was being started.
    if (this.#closedSockets.has(socket)) {
      this.#leave([name])
      return
    }
    const key = nameOf(name)
    const found = this.#sessions.get(key) ?? { name, sockets: new Set() }
    found.sockets.add(socket)
    this.#sessions.set(key, found)
    const keys = this.#bySocket.get(socket) ?? new Set()
    this.#bySocket.set(socket, keys.add(key))
  }

  /** Forgets a session that has ended. */
  sessionEnded(name: SessionName): void {
    const key = nameOf(name)
    for (const socket of this.#sessions.get(key)?.sockets ?? []) {
      const keys = this.#bySocket.get(socket)
      keys?.delete(key)
      if (keys?.size === 0) this.#bySocket.delete(socket)
    }
    this.#sessions.delete(key)
  }

  /** Starts the grace period of each session that has no other socket of this node. */
  socketClosed(socket: object): void {
    const abandoned: SessionName[] = []
    for (const key of this.#bySocket.get(socket) ?? []) {
      const found = this.#sessions.get(key)
      if (found?.sockets.delete(socket) !== true || found.sockets.size > 0) continue
      this.#sessions.delete(key)
      abandoned.push(found.name)
    }
    this.#bySocket.delete(socket)
    this.#closedSockets.add(socket)
    if (abandoned.length > 0) this.#leave(abandoned)
  }

  /** Renews the leases of all sessions, three times in each grace period. */
  tick(now: number): void {
    if (now - this.#renewedAt < this.#everyMs || this.#isRenewing || this.#sessions.size === 0)
      return
    this.#renewedAt = now
    this.#isRenewing = true
    const names = [...this.#sessions.values()].map(({ name }) => name)
    const calls: Promise<void>[] = []
    for (let at = 0; at < names.length; at += renewedMax) {
      const some = names.slice(at, at + renewedMax)
      calls.push(this.#next(() => this.#leases.renew(some.filter((one) => this.#isActive(one)))))
    }
    void Promise.all(calls).then(() => {
      this.#isRenewing = false
    })
  }

  #leave(names: readonly SessionName[]): void {
    void this.#next(() => this.#leases.leave(names.filter((name) => !this.#isActive(name))))
  }

  #isActive(name: SessionName): boolean {
    return this.#sessions.has(nameOf(name))
  }

  #next(call: () => Promise<void>): Promise<void> {
    // `renew` and `leave` log their failures.
    this.#last = this.#last.then(call).catch(() => {})
    return this.#last
  }
}
