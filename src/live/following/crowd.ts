/** Whether many come to one conversation at once: then they share their reads. */

/** So many within a second. */
const many = 16
const withinMs = 1000

export class Crowd {
  #since = 0
  #count = 0

  add(): void {
    const now = performance.now()
    if (now - this.#since > withinMs) {
      this.#since = now
      this.#count = 0
    }
    this.#count += 1
  }

  get isHere(): boolean {
    return this.#count > many && performance.now() - this.#since < withinMs * 2
  }
}
