/** Crowd tells whether many followers join one conversation at once: then they share their reads. */

/** More joins than these within a second are a crowd. */
const crowdedJoins = 16
const withinMs = 1000

export class Crowd {
  #since = 0
  #count = 0

  addJoin(): void {
    const now = performance.now()
    if (now - this.#since > withinMs) {
      this.#since = now
      this.#count = 0
    }
    this.#count += 1
  }

  get isPresent(): boolean {
    return this.#count > crowdedJoins && performance.now() - this.#since < withinMs * 2
  }
}
