/** The credit gate: how much the client sends over a connection before the service answers. */
import { describe, expect, test } from 'bun:test'
import { createCreditGate } from '../../../src/client/socket/credit-gate.ts'

describe('CreditGate', () => {
  test('a credit gate admits seven eighths of the frames of its credit', () => {
    const gate = createCreditGate({ frames: 16, bytes: 1000 })
    expect(Array.from({ length: 15 }, () => gate.enter(1))).toEqual([
      ...Array<boolean>(14).fill(true),
      false,
    ])
    gate.leave(1)
    expect(gate.enter(1)).toBe(true)
  })

  test('a credit gate admits bytes up to its credit, and a larger frame if no other waits', () => {
    const gate = createCreditGate({ frames: 16, bytes: 100 })
    expect([gate.enter(60), gate.enter(41), gate.enter(40)]).toEqual([true, false, true])
    gate.leave(60)
    gate.leave(40)
    expect([gate.enter(500), gate.enter(1)]).toEqual([true, false])
  })

  test('a credit gate with a credit of one admits one frame at a time', () => {
    const gate = createCreditGate({ frames: 1, bytes: 100 })
    expect([gate.enter(1), gate.enter(1)]).toEqual([true, false])
  })
})
