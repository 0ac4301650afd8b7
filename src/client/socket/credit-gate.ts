/** How much the service takes of one connection before it answers: beyond that, it closes the socket. */
import type { Credit } from '../wire/client-frames.ts'

export type CreditGate = {
  /** False: not before something is answered. */
  enter(bytes: number): boolean
  /** It was answered. */
  leave(bytes: number): void
}

/** One in so many stays free: a `sub` that was taken back is answered a moment before it is done with. */
const spareOneIn = 8

export function createCreditGate({ frames, bytes }: Credit): CreditGate {
  const framesMax = Math.max(1, frames - Math.floor(frames / spareOneIn))
  let framesIn = 0
  let bytesIn = 0
  return {
    enter(size) {
      if (framesIn >= framesMax || (framesIn > 0 && bytesIn + size > bytes)) return false
      framesIn += 1
      bytesIn += size
      return true
    },
    leave(size) {
      framesIn -= 1
      bytesIn -= size
    },
  }
}
