/** What a node carries on of the voice sessions its sockets speak in. */
import { expect, test } from 'bun:test'
import type { SessionName } from '../../../src/conversation/speech/voice-session-store.ts'
import { Presence } from '../../../src/live/socket/presence.ts'

const name = (id: string): SessionName => ({ tenant: '', conversationId: 'c', id })

function watched() {
  const calls: string[] = []
  let isSlow = false
  let release = () => {}
  const told = (what: string) => async (names: readonly SessionName[]) => {
    for (const { id } of names) calls.push(`${what} ${id}`)
    if (what !== 'carry' || !isSlow) return
    const { promise, resolve } = Promise.withResolvers<void>()
    release = resolve
    await promise
  }
  const presence = new Presence(1, { carryOn: told('carry'), leave: told('leave') })
  return {
    presence,
    calls,
    slow: () => {
      isSlow = true
    },
    release: () => release(),
    settled: () => Bun.sleep(0),
  }
}

test('a session is left with its last socket, and not before', async () => {
  const { presence, calls, settled } = watched()
  const [first, second] = [{}, {}]
  presence.speaks(first, name('s'))
  presence.speaks(second, name('s'))
  presence.gone(first)
  await settled()
  expect(calls).toEqual([])
  presence.gone(second)
  await settled()
  expect(calls).toEqual(['leave s'])
  presence.tick(performance.now() + 1000)
  await settled()
  expect(calls).toEqual(['leave s'])
})

test('a socket that went while its session was being started does not hold it', async () => {
  const { presence, calls, settled } = watched()
  const socket = {}
  presence.gone(socket)
  presence.speaks(socket, name('s'))
  await settled()
  expect(calls).toEqual(['leave s'])
  presence.tick(performance.now() + 1000)
  await settled()
  expect(calls).toEqual(['leave s'])
})

test('a session is left after what still carries it on', async () => {
  const { presence, calls, slow, release, settled } = watched()
  const socket = {}
  slow()
  presence.speaks(socket, name('s'))
  presence.tick(performance.now() + 1000)
  await settled()
  presence.gone(socket)
  await settled()
  expect(calls).toEqual(['carry s'])
  release()
  await settled()
  expect(calls).toEqual(['carry s', 'leave s'])
})

test('a session that has ended is neither carried on nor left', async () => {
  const { presence, calls, settled } = watched()
  const socket = {}
  presence.speaks(socket, name('s'))
  presence.ended(name('s'))
  presence.tick(performance.now() + 1000)
  presence.gone(socket)
  await settled()
  expect(calls).toEqual([])
})
