/** How much of one socket's work waits for its answer, in frames and bytes. */

export type CreditBounds = { readonly frames: number; readonly bytes: number }

export class Credit {
  readonly #bounds: CreditBounds
  #frames = 0
  #bytes = 0

  constructor(bounds: CreditBounds) {
    this.#bounds = bounds
  }

  /** False if that would be more than the credit. One frame alone always fits. */
  take(bytes: number): boolean {
    const isFull = this.#frames >= this.#bounds.frames
    if (isFull || (this.#frames > 0 && this.#bytes + bytes > this.#bounds.bytes)) return false
    this.#frames += 1
    this.#bytes += bytes
    return true
  }

  giveBack(bytes: number): void {
    this.#frames -= 1
    this.#bytes -= bytes
  }
}
