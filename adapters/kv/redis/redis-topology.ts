/**
 * The topology of a Redis Cluster: the server of each slot. It is read every few seconds from a
 * server that sees the whole Cluster, and soon after a server has reported that a slot moved.
 */
import { KvError } from '../../../src/ports/kv.ts'
import type { CarrierOptions, ServerCarrier } from './redis-carrier.ts'
import { ServerConnection } from './redis-connection.ts'

export type Topology = {
  /** The address of a slot's master; undefined while it is not known. */
  ofSlot(slot: number): string | undefined
  /** The number of servers that have slots. */
  masters(): number
  server(address: string): ServerCarrier
  /** Records a server's report that the slot is on another server. */
  moved(slot: number, address: string): void
  /** Records that the topology may have changed, and reads it again soon. */
  doubt(): void
  /** Calls `listener` after each change of the topology. */
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
/** Milliseconds between two looks at the topology while slots are unknown or in doubt. */
const soonMs = 100
/** Milliseconds between two looks at the topology at other times. */
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
    const existing = servers.get(address)
    if (existing !== undefined) return existing
    const serverName = `Redis at ${address}`
    const made = new ServerConnection(urlOf(address), { serverName, deadlineMs, onEvent })
    servers.set(address, made)
    return made
  }
  /** Makes a topology the current one. Closes servers without slots and connects to new ones. */
  const adopt = (slots: (string | undefined)[]) => {
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
  /** Reports only the first refusal: a server without Cluster, or a missing right, refuses all. */
  const refused = (address: string, thrown: unknown) => {
    if (wasRefused || !(thrown instanceof KvError && thrown.outcome === 'refused')) return
    wasRefused = true
    const message = `Redis at ${address} does not say where the slots of its Cluster are: ${thrown.message}`
    onEvent({ type: 'mistaken', message })
  }
  /**
   * Asks one server after another until one knows all slots and sees a working Cluster: a server that
   * has lost the others answers with an old topology. If none does, the best answer is used.
   */
  const look = async () => {
    let best: { slots: (string | undefined)[]; rank: number } | undefined
    for (const [address, each] of servers) {
      if (!each.ready()) continue
      const answers = await Promise.all([
        each.command('CLUSTER', 'SLOTS'),
        each.command('CLUSTER', 'INFO'),
      ]).catch((thrown: unknown) => refused(address, thrown))
      if (isClosed) return
      if (answers === undefined) continue
      const slots = slotsOf(answers[0], address)
      const isWell = String(answers[1]).includes('cluster_state:ok')
      const rank = (isWell ? slotCount : 0) + slots.filter((slot) => slot !== undefined).length
      if (best === undefined || rank > best.rank) best = { slots, rank }
      if (rank === 2 * slotCount) break
    }
    if (best !== undefined) adopt(best.slots)
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

/**
 * The address of each slot's master. If the reply leaves a host out, the host of the server that
 * answered is used.
 */
function slotsOf(reply: unknown, answeredBy: string): (string | undefined)[] {
  const slots: (string | undefined)[] = Array.from({ length: slotCount })
  for (const range of Array.isArray(reply) ? reply : []) {
    const [first, last, master]: unknown[] = Array.isArray(range) ? range : []
    const [host, port]: unknown[] = Array.isArray(master) ? master : []
    if (typeof first !== 'number' || typeof last !== 'number') continue
    slots.fill(
      addressOf(typeof host === 'string' ? host : '', Number(port), answeredBy),
      first,
      last + 1,
    )
  }
  return slots
}

/** The address of a host and a port. An empty host, or `?`, stands for the host that answered. */
export function addressOf(host: string, port: number, answeredBy: string): string {
  const name = host === '' || host === '?' ? answeredBy.slice(0, answeredBy.lastIndexOf(':')) : host
  return `${name.includes(':') && !name.startsWith('[') ? `[${name}]` : name}:${port}`
}
