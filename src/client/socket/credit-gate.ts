/**
 * The credit gate of a connection. Credit is the number of frames and bytes that may wait for their answers. The
 * service closes a socket that sends more, so the gate holds frames back.
 */
import type { Credit } from '../wire/client-frames.ts'

export type CreditGate = {
  /** Takes credit for one frame. Returns false if none is free until another frame is answered. */
  enter(bytes: number): boolean
  /** Gives the credit of an answered frame back. */
  leave(bytes: number): void
}

/**
 * One in this number of the allowed frames stays unused. The service answers a cancelled `sub` a moment before it frees
 * the credit, so a client that used all of it could exceed it.
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
