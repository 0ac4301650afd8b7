/**
 * The credit gate of a connection: how many frames and bytes the service accepts before it answers. It closes a socket
 * that sends more.
 */
import type { Credit } from '../wire/client-frames.ts'

export type CreditGate = {
  /** Takes credit for one frame. Returns false if there is none until another frame is answered. */
  enter(bytes: number): boolean
  /** Gives the credit of an answered frame back. */
  leave(bytes: number): void
}

/**
 * The share of the frames that stays unused is one in this number: the service answers a cancelled `sub` a moment
 * before it frees the credit.
 */
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
