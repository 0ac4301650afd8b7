/**
 * What goes out on one socket. Nothing is queued here: the runtime holds what the reader has not
 * taken, and what would come on top waits where it is until there is room again.
 */

/** A socket of whatever runtime. None of these throws. */
export type Socket = {
  /** `dropped`: not sent, and nothing after it may be, or there would be a hole. */
  send(text: string): 'sent' | 'waiting' | 'dropped'
  /** Bytes that were sent and not taken yet. */
  buffered(): number
  /** A ping of WebSocket itself, which every client answers by itself. */
  ping(): void
  /** Once what was sent is out. */
  close(code: number, reason: string): void
  /** At once. */
  terminate(): void
}

export type Watermarks = { readonly softBytes: number; readonly hardBytes: number }

/** So long a reader may take nothing of what waits for it, in milliseconds. */
const stalledMs = 60_000

export type OutboxState = 'open' | 'stuck' | 'dead'

export class Outbox {
  readonly #socket: Socket
  readonly #marks: Watermarks
  #isFull = false
  #isDead = false
  #lowest = 0
  #movedAt = 0

  constructor(socket: Socket, marks: Watermarks) {
    this.#socket = socket
    this.#marks = marks
  }

  get isFull(): boolean {
    return this.#isFull
  }

  get isDead(): boolean {
    return this.#isDead
  }

  send(text: string): void {
    if (this.#isDead) return
    const outcome = this.#socket.send(text)
    if (outcome === 'sent') return
    if (outcome === 'dropped') {
      this.kill()
      return
    }
    if (this.#isFull || this.#socket.buffered() <= this.#marks.softBytes) return
    this.#isFull = true
    this.#lowest = this.#socket.buffered()
    this.#movedAt = performance.now()
  }

  /** Whether there is room again. */
  emptied(now: number): boolean {
    if (!this.#isFull) return false
    const buffered = this.#socket.buffered()
    if (buffered < this.#lowest) {
      this.#lowest = buffered
      this.#movedAt = now
    }
    if (buffered > this.#marks.softBytes / 2) return false
    this.#isFull = false
    return true
  }

  /** `stuck`: more waits than may, or nothing has moved for long. */
  state(now: number): OutboxState {
    if (this.#isDead) return 'dead'
    if (!this.#isFull) return 'open'
    const isOver = this.#socket.buffered() > this.#marks.hardBytes
    return isOver || now - this.#movedAt > stalledMs ? 'stuck' : 'open'
  }

  kill(): void {
    this.#isDead = true
    this.#socket.terminate()
  }
}
