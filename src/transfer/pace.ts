/** The pace of an import or export: how much is done per second, and when it will end. */

/** Milliseconds of the newest progress from which the pace is measured. */
const windowMs = 15_000

/** Milliseconds between two samples at least, so that a window has few of them. */
const sampleMs = 250

/** Milliseconds after which the pace is known well enough to be shown. */
const knownAfterMs = 1000

type Sample = { readonly atMs: number; readonly share: number; readonly done: number }

export type Shown = {
  /** Things done per second. */
  readonly perSecond: number
  /** Undefined if the total is not known, or nothing was done in the window. */
  readonly secondsLeft: number | undefined
}

export class Pace {
  readonly #samples: Sample[] = []

  /**
   * Adds a state of the work and returns the pace, or undefined while it is not known yet.
   * @param atMs a monotonic time in milliseconds
   * @param share the part that is done, from 0 to 1; undefined if the total is not known
   * @param done the number of things that are done
   */
  at(atMs: number, share: number | undefined, done: number): Shown | undefined {
    const sample = { atMs, share: share ?? Number.NaN, done }
    const newest = this.#samples.at(-1)
    if (newest === undefined || atMs - newest.atMs >= sampleMs) this.#samples.push(sample)
    // The window keeps one sample that is older, as its begin.
    while ((this.#samples[1]?.atMs ?? atMs) < atMs - windowMs) this.#samples.shift()
    const [begin = sample] = this.#samples
    const ms = atMs - begin.atMs
    if (ms < knownAfterMs) return undefined
    const sharePerMs = (sample.share - begin.share) / ms
    return {
      perSecond: ((done - begin.done) / ms) * 1000,
      secondsLeft: sharePerMs > 0 ? (1 - sample.share) / sharePerMs / 1000 : undefined,
    }
  }
}

/** Prints a pace: `310 turns/s, 1:05 left`. `what` names the things that are done. */
export function paceText({ perSecond, secondsLeft }: Shown, what: string): string {
  const rate = perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond).toLocaleString('en')
  const left = secondsLeft === undefined ? '' : `, ${durationText(secondsLeft)} left`
  return `${rate} ${what}/s${left}`
}

function durationText(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds))
  const two = (n: number) => String(n).padStart(2, '0')
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`
}
