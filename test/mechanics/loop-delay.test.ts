/**
 * Tests of deadlines in a process whose event loop stalls: an answer in a socket is not late,
 * silence is.
 */
import { expect, test } from 'bun:test'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Late, within } from '../../src/conversation/cache/breaker.ts'
import { deadline, isStarved, usableNow } from '../../src/mechanics/loop-delay.ts'

/** A server in its own process that echoes data. It answers while this process stalls. */
async function echoServer() {
  const program = `const server = require('node:net').createServer((socket) => socket.pipe(socket))
    server.listen(0, '127.0.0.1', () => process.stdout.write(String(server.address().port) + '\\n'))`
  const child = Bun.spawn([process.execPath, '-e', program], { stdout: 'pipe' })
  const { value } = await child.stdout.getReader().read()
  const socket = connect({ port: Number(new TextDecoder().decode(value)), host: '127.0.0.1' })
  await once(socket, 'connect')
  return {
    socket,
    async [Symbol.asyncDispose]() {
      socket.destroy()
      child.kill('SIGKILL')
      await child.exited
    },
  }
}

const block = (ms: number) => {
  for (const endsAt = performance.now() + ms; performance.now() < endsAt; );
}

/** Blocks the loop for `eachMs` in every round, until it is stopped. */
function stalls(eachMs: number): Disposable {
  let timer: ReturnType<typeof setTimeout>
  const again = () => {
    block(eachMs)
    timer = setTimeout(again, 0)
  }
  timer = setTimeout(again, 0)
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}

const answer = async (socket: Socket) => {
  const arrived = once(socket, 'data')
  socket.write('x')
  await arrived
}

const never = new Promise<never>(() => {})

test('an answer that arrived during a stall of the event loop does not count as late, however long the stall was', async () => {
  await using server = await echoServer()
  for (const ms of [30, 300, 2500]) {
    const call = within(answer(server.socket), 15)
    // The data is sent before the stall, as in a busy process.
    setImmediate(() => setImmediate(() => block(ms)))
    await call
  }
})

test('an answer does not count as late if every round of the event loop takes longer than the deadline', async () => {
  await using server = await echoServer()
  using _ = stalls(25)
  for (let n = 0; n < 10; n += 1) await within(answer(server.socket), 15)
})

test('a deadline of several seconds is extended by the time that the event loop stalled', async () => {
  await using server = await echoServer()
  const call = within(answer(server.socket), 600)
  block(1500)
  await call
})

test('a missing answer is noticed at most a second after its deadline, however the event loop stalls', async () => {
  using _ = stalls(40)
  const startedAt = performance.now()
  const thrown = await within(never, 15).catch((reason: unknown) => reason)
  expect(thrown).toBeInstanceOf(Late)
  // The bound, 15 ms of usable time for a last look, and rounds of the loop in between.
  expect(performance.now() - startedAt).toBeLessThan(15 + 1000 + 1500)
})

test('an idle process waits for exactly the deadline', async () => {
  for (const ms of [15, 600]) {
    const startedAt = usableNow()
    await within(never, ms).catch(() => {})
    const waitedMs = usableNow() - startedAt
    expect(waitedMs).toBeGreaterThanOrEqual(ms - 1)
    expect(waitedMs).toBeLessThan(ms + 60)
  }
})

test('a cancelled deadline never fires', async () => {
  let isLate = false
  const cancel = deadline(5, () => {
    isLate = true
  })
  block(20)
  cancel()
  await Bun.sleep(30)
  expect(isLate).toBe(false)
})

test('a process counts as starved while its event loop stalls, and not after that', async () => {
  {
    using _ = stalls(40)
    await within(never, 300).catch(() => {})
    expect(isStarved()).toBe(true)
  }
  // This is checked during a deadline. On a busy machine, other processes may take the time of this
  // one.
  for (let n = 0; n < 20 && isStarved(); n += 1) await within(never, 400).catch(() => {})
  expect(isStarved()).toBe(false)
})
