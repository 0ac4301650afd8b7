/** The leases of voice sessions that a node renews while its sockets are open. */
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
    if (what !== 'renew' || !isSlow) return
    const { promise, resolve } = Promise.withResolvers<void>()
    release = resolve
    await promise
  }
  const presence = new Presence(1, { renew: logged('renew'), leave: logged('leave') })
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

test('a node leaves a voice session when the last of its sockets in it closes, and not before', async () => {
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

test('a socket that closed while its session was being started does not keep it open', async () => {
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

test('a node leaves a voice session only after its running renewal of the lease has ended', async () => {
  const { presence, calls, slow, release, settled } = watched()
  const socket = {}
  slow()
  presence.joined(socket, name('s'))
  presence.tick(performance.now() + 1000)
  await settled()
  presence.socketClosed(socket)
  await settled()
  expect(calls).toEqual(['renew s'])
  release()
  await settled()
  expect(calls).toEqual(['renew s', 'leave s'])
})

test('a voice session that has ended is neither renewed nor left', async () => {
  const { presence, calls, settled } = watched()
  const socket = {}
  presence.joined(socket, name('s'))
  presence.sessionEnded(name('s'))
  presence.tick(performance.now() + 1000)
  presence.socketClosed(socket)
  await settled()
  expect(calls).toEqual([])
})
