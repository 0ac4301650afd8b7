/**
 * Names what the KV holds of a conversation. Nodes of several releases share one KV, so a name stays as
 * it is, byte for byte. The first two parts are a partition: its entries are evicted together.
 */

/** The name of a conversation among those of all tenants, in the KV and in maps of this process. */
export const conversationName = (tenant: string, conversationId: string): string =>
  `${tenant}/${conversationId}`

type HistoryPrefix = readonly ['history', string]

const historyPrefix = (tenant: string, conversationId: string): HistoryPrefix => [
  'history',
  conversationName(tenant, conversationId),
]

export const kvKeys = {
  /** The prefix of the cached history. A reverse list of it gives the head, then the newest message, and on. */
  history: historyPrefix,
  /** The head of the cached history: of a window, or of a stub. Other nodes watch it for news. */
  head: (tenant: string, conversationId: string) =>
    [...historyPrefix(tenant, conversationId), true] as const,
  /** A message of the cached history. */
  message: (tenant: string, conversationId: string, seq: number) =>
    [...historyPrefix(tenant, conversationId), seq] as const,
  /** The latest interim text of a speaker. */
  partial: (tenant: string, conversationId: string, role: 'human' | 'ai') =>
    ['live', conversationName(tenant, conversationId), role] as const,
  /** What the breaker's probe writes and reads: a partition of its own, and no conversation's. */
  probe: ['history', 'probe', true],
} as const
