/** How much is sent over a connection before something is answered. */
import { describe, expect, test } from 'bun:test'
import { createCreditGate } from '../../../src/client/socket/credit-gate.ts'

describe('a credit gate', () => {
  test('lets in frames up to the credit, but for one in eight that stays free', () => {
    const gate = createCreditGate({ frames: 16, bytes: 1000 })
    expect(Array.from({ length: 15 }, () => gate.enter(1))).toEqual([
      ...Array<boolean>(14).fill(true),
      false,
    ])
    gate.leave(1)
    expect(gate.enter(1)).toBe(true)
  })

  test('lets in bytes up to the credit, and one frame that is larger by itself', () => {
    const gate = createCreditGate({ frames: 16, bytes: 100 })
    expect([gate.enter(60), gate.enter(41), gate.enter(40)]).toEqual([true, false, true])
    gate.leave(60)
    gate.leave(40)
    expect([gate.enter(500), gate.enter(1)]).toEqual([true, false])
  })

  test('lets in one frame at a time where the credit is one', () => {
    const gate = createCreditGate({ frames: 1, bytes: 100 })
    expect([gate.enter(1), gate.enter(1)]).toEqual([true, false])
  })
})
