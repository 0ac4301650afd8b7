/** What a node carries on of the voice sessions its sockets speak in. */
import { expect, test } from 'bun:test'
import type { SessionName } from '../../../src/conversation/speech/voice-session-store.ts'
import { Presence } from '../../../src/live/socket/presence.ts'

const name = (id: string): SessionName => ({ tenant: '', conversationId: 'c', id })

function watched() {
  const calls: string[] = []
  let isSlow = false
  let release = () => {}
  const logged = (what: string) => async (names: readonly SessionName[]) => {
    for (const { id } of names) calls.push(`${what} ${id}`)
    if (what !== 'carry' || !isSlow) return
    const { promise, resolve } = Promise.withResolvers<void>()
    release = resolve
    await promise
  }
  const presence = new Presence(1, { renew: logged('carry'), leave: logged('leave') })
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
  presence.joined(first, name('s'))
  presence.joined(second, name('s'))
  presence.socketClosed(first)
  await settled()
  expect(calls).toEqual([])
  presence.socketClosed(second)
  await settled()
  expect(calls).toEqual(['leave s'])
  presence.tick(performance.now() + 1000)
  await settled()
  expect(calls).toEqual(['leave s'])
})

test('a socket that went while its session was being started does not hold it', async () => {
  const { presence, calls, settled } = watched()
  const socket = {}
  presence.socketClosed(socket)
  presence.joined(socket, name('s'))
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
  presence.joined(socket, name('s'))
  presence.tick(performance.now() + 1000)
  await settled()
  presence.socketClosed(socket)
  await settled()
  expect(calls).toEqual(['carry s'])
  release()
  await settled()
  expect(calls).toEqual(['carry s', 'leave s'])
})

test('a session that has ended is neither carried on nor left', async () => {
  const { presence, calls, settled } = watched()
  const socket = {}
  presence.joined(socket, name('s'))
  presence.sessionEnded(name('s'))
  presence.tick(performance.now() + 1000)
  presence.socketClosed(socket)
  await settled()
  expect(calls).toEqual([])
})
