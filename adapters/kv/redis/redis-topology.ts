/**
 * Where a Cluster's slots are: asked of a server that sees the whole, again every few seconds, and at
 * once when a server says that a slot has moved.
 */
import { KvError } from '../../../src/ports/kv.ts'
import { type CarrierOptions, type ServerCarrier, ServerConnection } from './redis-connection.ts'

export type Topology = {
  /** The server of a slot's master; `undefined` while that is not known. */
  ofSlot(slot: number): string | undefined
  /** How many servers have slots. */
  masters(): number
  server(address: string): ServerCarrier
  /** A server said that the slot is elsewhere. */
  moved(slot: number, address: string): void
  /** Something is not as it was known. */
  doubt(): void
  /** Calls after each look at which something had changed; answers how to stop that. */
  onChange(listener: () => void): void
  /** Whether all slots are known and their servers are ready. */
  ready(): boolean
  close(): void
}

export type TopologyOptions = Omit<CarrierOptions, 'serverName'> & {
  readonly addresses: readonly string[]
  readonly urlOf: (address: string) => string
}

const slotCount = 16_384
/** Milliseconds between looks: while slots are unknown or in doubt, and else. */
const soonMs = 100
const laterMs = 5000

export function createTopology(options: TopologyOptions): Topology {
  const { addresses, urlOf, deadlineMs, onEvent } = options
  const servers = new Map<string, ServerCarrier>()
  const listeners: (() => void)[] = []
  let masters: (string | undefined)[] = []
  let masterCount = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let isInDoubt = true
  let isClosed = false
  let wasRefused = false

  const server = (address: string) => {
    const known = servers.get(address)
    if (known !== undefined) return known
    const serverName = `Redis at ${address}`
    const made = new ServerConnection(urlOf(address), { serverName, deadlineMs, onEvent })
    servers.set(address, made)
    return made
  }
  const take = (slots: (string | undefined)[]) => {
    const isSame = slots.every((address, slot) => address === masters[slot])
    masters = slots
    masterCount = new Set(slots.filter((address) => address !== undefined)).size
    isInDoubt = slots.includes(undefined)
    const inUse = new Set([...addresses, ...slots])
    for (const [address, each] of servers) {
      if (inUse.has(address)) continue
      each.close()
      servers.delete(address)
    }
    for (const address of new Set(slots)) if (address !== undefined) server(address)
    if (!isSame) for (const listener of listeners) listener()
  }
  /** A server that is none of a Cluster, or a user without the right to ask, answers the same for ever. */
  const refused = (address: string, thrown: unknown) => {
    if (wasRefused || !(thrown instanceof KvError && thrown.outcome === 'refused')) return
    wasRefused = true
    const message = `Redis at ${address} does not say where the slots of its Cluster are: ${thrown.message}`
    onEvent({ type: 'mistaken', message })
  }
  /** Asks one server after the other, until one is whole: one that has lost the others knows no better. */
  const look = async () => {
    let best: { slots: (string | undefined)[]; known: number } | undefined
    for (const [address, each] of servers) {
      if (!each.ready()) continue
      const seen = await Promise.all([
        each.command('CLUSTER', 'SLOTS'),
        each.command('CLUSTER', 'INFO'),
      ]).catch((thrown: unknown) => refused(address, thrown))
      if (isClosed) return
      if (seen === undefined) continue
      const slots = slotsOf(seen[0], address)
      const isWell = String(seen[1]).includes('cluster_state:ok')
      const known = (isWell ? slotCount : 0) + slots.filter((slot) => slot !== undefined).length
      if (best === undefined || known > best.known) best = { slots, known }
      if (known === 2 * slotCount) break
    }
    if (best !== undefined) take(best.slots)
    lookIn(isInDoubt ? soonMs : laterMs)
  }
  const lookIn = (ms: number) => {
    clearTimeout(timer)
    timer = setTimeout(() => void look(), ms)
  }
  const doubt = () => {
    if (isInDoubt || isClosed) return
    isInDoubt = true
    lookIn(soonMs)
  }

  for (const address of addresses) server(address)
  lookIn(0)

  return {
    ofSlot: (slot) => masters[slot],
    masters: () => masterCount,
    server,
    moved(slot, address) {
      masters[slot] = address
      doubt()
    },
    doubt,
    onChange: (listener) => void listeners.push(listener),
    ready: () =>
      masters.length === slotCount &&
      [...new Set(masters)].every(
        (address) => address !== undefined && servers.get(address)?.ready() === true,
      ),
    close() {
      isClosed = true
      clearTimeout(timer)
      for (const each of servers.values()) each.close()
    },
  }
}

/** The master's address of each slot; a host left out is that of who answers. */
function slotsOf(reply: unknown, answeredBy: string): (string | undefined)[] {
  const slots: (string | undefined)[] = Array.from({ length: slotCount })
  for (const range of Array.isArray(reply) ? reply : []) {
    const [from, until, master]: unknown[] = Array.isArray(range) ? range : []
    const [host, port]: unknown[] = Array.isArray(master) ? master : []
    if (typeof from !== 'number' || typeof until !== 'number') continue
    slots.fill(
      addressOf(typeof host === 'string' ? host : '', Number(port), answeredBy),
      from,
      until + 1,
    )
  }
  return slots
}

export function addressOf(host: string, port: number, answeredBy: string): string {
  const known =
    host === '' || host === '?' ? answeredBy.slice(0, answeredBy.lastIndexOf(':')) : host
  return `${known.includes(':') && !known.startsWith('[') ? `[${known}]` : known}:${port}`
}
