/** Client sockets of this process, for any server, and a server with Bun's own sockets. */
import { join } from 'node:path'

/**
 * Number of concurrent handshakes. More would overflow the queue of the kernel and wait for its
 * timers, with Turnlog and with Bun's own server alike.
 */
const handshakesMax = 200

/** A server to connect to, and the id of the process that is measured. */
export type Bare = AsyncDisposable & { readonly url: string; readonly pid: number }

/**
 * Number of subscribers of a conversation. A wait for frames is checked only at multiples of it.
 */
export const followers = 1000

/** Sockets that barely look at a frame, because they share the cores with the server. */
export class Sockets {
  changes = 0
  lives = 0
  lastFrame = ''
  readonly #sockets: WebSocket[] = []
  #waiting: (() => void)[] = []

  static async open(base: string, count: number, path: (n: number) => string): Promise<Sockets> {
    const opened = new Sockets()
    let next = 0
    const open = async () => {
      while (next < count) {
        next += 1
        await opened.#open(`${base.replace('http', 'ws')}${path(next)}`)
      }
    }
    await Promise.all(Array.from({ length: handshakesMax }, open))
    return opened
  }

  /** Resolves when there are as many frames of this kind as sockets. */
  async all(what: 'change' | 'live'): Promise<void> {
    const count = () => (what === 'change' ? this.changes : this.lives)
    await this.#until(() => count() >= this.#sockets.length)
  }

  /** Resolves when `count` more changes have arrived. */
  more(count: number): Promise<void> {
    const goal = this.changes + count
    return this.#until(() => this.changes >= goal)
  }

  close(): void {
    for (const socket of this.#sockets) {
      socket.onclose = null
      socket.close()
    }
  }

  async #until(isReached: () => boolean): Promise<void> {
    while (!isReached()) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.push(resolve)
      await promise
    }
  }

  #open(url: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const socket = new WebSocket(url)
    this.#sockets.push(socket)
    socket.onopen = () => resolve()
    socket.onclose = ({ code }) => {
      reject(new Error(`closed with ${code}`))
      throw new Error(`a socket was closed with ${code}`)
    }
    socket.onmessage = ({ data }) => this.#take(String(data))
    return promise
  }

  #take(frame: string): void {
    const isLive = frame.startsWith('{"t":"live"')
    if (isLive) this.lives += 1
    // The greeting of a bare socket counts as a change.
    else if (frame.startsWith('{"t":"change"') || frame.startsWith('x')) {
      this.changes += 1
      this.lastFrame = frame
    } else return
    if ((isLive ? this.lives : this.changes) % followers !== 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const look of waiting) look()
  }
}

export async function startBare(): Promise<Bare> {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, '../baselines/bare-sockets.ts')],
    {
      stdout: 'pipe',
      stderr: 'inherit',
    },
  )
  const { value } = await child.stdout.getReader().read()
  const port = Number(new TextDecoder().decode(value))
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}
