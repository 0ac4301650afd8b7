/** Which voice sessions the sockets of this node speak in: as long as one does, a session goes on. */
import type { SessionName } from '../conversation/voice-sessions.ts'

const nameOf = ({ tenant, c, id }: SessionName) => JSON.stringify([tenant, c, id])

export class Presence {
  readonly #speakers = new Map<string, { name: SessionName; sockets: Set<object> }>()
  readonly #everyMs: number
  readonly #carryOn: (names: readonly SessionName[]) => Promise<void>
  #carriedAt = performance.now()
  #isCarrying = false

  constructor(graceSeconds: number, carryOn: (names: readonly SessionName[]) => Promise<void>) {
    // Two may be lost before a session ends that somebody speaks in.
    this.#everyMs = (graceSeconds * 1000) / 3
    this.#carryOn = carryOn
  }

  speaks(socket: object, name: SessionName): void {
    const key = nameOf(name)
    const found = this.#speakers.get(key) ?? { name, sockets: new Set() }
    found.sockets.add(socket)
    this.#speakers.set(key, found)
  }

  ended(name: SessionName): void {
    this.#speakers.delete(nameOf(name))
  }

  /** The socket is gone; from now on the grace runs for sessions that have no other. */
  gone(socket: object): void {
    const left: SessionName[] = []
    for (const [key, { name, sockets }] of this.#speakers)
      if (sockets.delete(socket) && sockets.size === 0) {
        this.#speakers.delete(key)
        left.push(name)
      }
    void this.#carry(left)
  }

  tick(now: number): void {
    if (now - this.#carriedAt < this.#everyMs || this.#isCarrying || this.#speakers.size === 0)
      return
    this.#carriedAt = now
    this.#isCarrying = true
    void this.#carry([...this.#speakers.values()].map(({ name }) => name)).then(() => {
      this.#isCarrying = false
    })
  }

  async #carry(names: readonly SessionName[]): Promise<void> {
    if (names.length === 0) return
    // The database tells of itself, and a session that ended too early is only an end too many.
    await this.#carryOn(names).catch(() => {})
  }
}
