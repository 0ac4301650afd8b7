/**
 * The topology of a Cluster: the server of each slot. A server that sees the whole Cluster is asked
 * for it every few seconds, and soon after a server reported that a slot has moved.
 */
import { KvError } from '../../../src/ports/kv.ts'
import { type CarrierOptions, type ServerCarrier, ServerConnection } from './redis-connection.ts'

export type Topology = {
  /** The address of a slot's master; undefined while it is not known. */
  ofSlot(slot: number): string | undefined
  /** The number of servers that have slots. */
  masters(): number
  server(address: string): ServerCarrier
  /** Records a server's report that the slot is on another server. */
  moved(slot: number, address: string): void
  /** Records that the topology may have changed, and asks for it soon. */
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
/**
 * Milliseconds between two looks: `soonMs` while slots are unknown or in doubt, otherwise
 * `laterMs`.
 */
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
    const existing = servers.get(address)
    if (existing !== undefined) return existing
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
  /** Reports a refusal once. It repeats if the server has no Cluster, or the user has no right. */
  const refused = (address: string, thrown: unknown) => {
    if (wasRefused || !(thrown instanceof KvError && thrown.outcome === 'refused')) return
    wasRefused = true
    const message = `Redis at ${address} does not say where the slots of its Cluster are: ${thrown.message}`
    onEvent({ type: 'mistaken', message })
  }
  /**
   * Asks one server after the other until one knows all slots and sees a working Cluster, because a
   * server that has lost the others knows only old facts. If none does, the best answer is used.
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

/**
 * The address of each slot's master. If the reply leaves a host out, it is that of the asked
 * server.
 */
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

/** The address of a host and a port. An empty host, or `?`, stands for the host that answered. */
export function addressOf(host: string, port: number, answeredBy: string): string {
  const name = host === '' || host === '?' ? answeredBy.slice(0, answeredBy.lastIndexOf(':')) : host
  return `${name.includes(':') && !name.startsWith('[') ? `[${name}]` : name}:${port}`
}
