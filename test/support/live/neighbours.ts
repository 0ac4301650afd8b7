/** Ordinary clients beside a flooding one: how long each of their calls takes. */
import { must, recordTurn } from '../writing/client.ts'
import { LiveClient } from './live.ts'

export type Waits = {
  readonly count: number
  /** Percentiles in milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export type NeighbourReport = {
  readonly record: Waits
  readonly history: Waits
  readonly live: Waits
  /** The status of every answer of `/readyz` that was not 200. */
  readonly unready: readonly number[]
}

const turn = { user: { text: 'A table for two?' }, assistant: { responses: ['Yes, at eight.'] } }

/** Milliseconds between two requests of `/readyz`. */
const readyMs = 50

/** Milliseconds that each client pauses between two calls. */
const pauseMs = 2

function waitsOf(times: number[]): Waits {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (part: number) =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0) * 10) /
    10
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) }
}

/** A recorder and a reader over REST, and a recorder over a socket, until `over` resolves. */
export async function neighbours(
  url: string,
  ids: readonly [string, string, string],
  over: Promise<unknown>,
): Promise<NeighbourReport> {
  let isOver = false
  void over.finally(() => {
    isOver = true
  })
  const repeat = async (act: (n: number) => Promise<unknown>) => {
    const times: number[] = []
    for (let n = 0; !isOver; n += 1) {
      const began = performance.now()
      await act(n)
      times.push(performance.now() - began)
      await Bun.sleep(pauseMs)
    }
    return waitsOf(times)
  }
  const [recorded, read, spoken] = ids
  const live = new LiveClient(url)
  await live.until('welcome')
  const answered = new Map<string, () => void>()
  live.socket.addEventListener('message', ({ data }) => {
    const { t, id } = JSON.parse(String(data))
    if (t === 'recorded') answered.get(id)?.()
  })
  const unready: number[] = []
  const ready = async () => {
    while (!isOver) {
      const { status } = await fetch(`${url}/readyz`)
      if (status !== 200) unready.push(status)
      await Bun.sleep(readyMs)
    }
  }
  const [record, history, spoke] = await Promise.all([
    repeat(async () => must(await recordTurn(url, recorded, turn))),
    repeat(async () => {
      const response = await fetch(`${url}/v1/conversations/${read}/history?last=50`)
      if (!response.ok) throw new Error(await response.text())
      await response.text()
    }),
    repeat((n) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      answered.set(`${n}`, resolve)
      live.send({ t: 'record', id: `${n}`, c: spoken, turn })
      return promise
    }),
    ready(),
  ])
  live.close()
  return { record, history, live: spoke, unready }
}
