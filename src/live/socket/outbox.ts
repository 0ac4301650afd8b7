/**
 * What goes out on one socket. Nothing is queued here: the runtime holds what the reader has not
 * taken, and what would come on top waits where it is until there is room again.
 */

export type Watermarks = { readonly softBytes: number; readonly hardBytes: number }

/** So long a reader may take nothing of what waits for it, in milliseconds. */
const stalledMs = 60_000

export type OutboxState = 'open' | 'stuck' | 'dead'

/** What was sent is `waiting` where the reader has not taken it, and not sent at all where `dropped`. */
export type WriteOutcome = 'sent' | 'waiting' | 'dropped'

/**
 * A runtime's socket extends this, for a frame to a thousand readers costs mostly the memory that is
 * touched on its way to each. None of the abstract ones throws.
 */
export abstract class Outbox {
  readonly #marks: Watermarks
  #isFull = false
  #isEnding = false
  #isDead = false
  #lowestBytes = 0
  #progressAt = 0

  constructor(marks: Watermarks) {
    this.#marks = marks
  }

  protected abstract write(text: string): WriteOutcome
  /** Bytes that were sent and not taken yet. */
  protected abstract buffered(): number
  /** Once what was sent is out. */
  protected abstract close(code: number, reason: string): void
  /** At once. */
  protected abstract terminate(): void
  /** A ping of WebSocket itself, which every client answers by itself. */
  abstract ping(): void
  /** Takes nothing more from the other side, which is slowed down by that, until `resumeReading`. */
  abstract pauseReading(): void
  abstract resumeReading(): void
  /** What is sent within `work` goes out together, where the runtime can do that. */
  abstract together(work: () => void): void

  /** Whether more must wait, or nothing more is to come. */
  get isFull(): boolean {
    return this.#isFull || this.#isEnding
  }

  send(text: string): void {
    if (this.#isDead || this.#isEnding) return
    const outcome = this.write(text)
    if (outcome === 'sent') return
    // After what was not sent nothing may be, or there would be a hole.
    if (outcome === 'dropped') this.kill()
    else this.#wait()
  }

  #wait(): void {
    const buffered = this.buffered()
    if (this.#isFull || buffered <= this.#marks.softBytes) return
    this.#isFull = true
    this.#lowestBytes = buffered
    this.#progressAt = performance.now()
  }

  /** Whether there is room again. */
  hasRoomAgain(now: number): boolean {
    if (!this.#isFull) return false
    const buffered = this.buffered()
    if (buffered < this.#lowestBytes) {
      this.#lowestBytes = buffered
      this.#progressAt = now
    }
    if (buffered > this.#marks.softBytes / 2) return false
    this.#isFull = false
    return true
  }

  /** `stuck`: more waits than may, or nothing has moved for long. */
  state(now: number): OutboxState {
    if (this.#isDead) return 'dead'
    if (!this.#isFull) return 'open'
    const isOver = this.buffered() > this.#marks.hardBytes
    return isOver || now - this.#progressAt > stalledMs ? 'stuck' : 'open'
  }

  /** Closes the socket; nothing is sent any more. */
  end(code: number, reason: string): void {
    this.#isEnding = true
    this.close(code, reason)
  }

  kill(): void {
    this.#isDead = true
    this.terminate()
  }

  /** The socket is gone. */
  socketClosed(): void {
    this.#isDead = true
  }
}
