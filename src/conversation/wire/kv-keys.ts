/**
 * Keys of a conversation's entries in the KV. Nodes of several releases share one KV, so a key must
 * not change by a byte. The first two parts of a key are its partition. Entries of a partition are
 * evicted together.
 */

/**
 * The name of a conversation among those of all tenants, for the KV and for maps of this process.
 */
export const conversationName = (tenant: string, conversationId: string): string =>
  `${tenant}/${conversationId}`

type HistoryPrefix = readonly ['history', string]

const historyPrefix = (tenant: string, conversationId: string): HistoryPrefix => [
  'history',
  conversationName(tenant, conversationId),
]

export const kvKeys = {
  /**
   * The prefix of the cached history. A reverse list of it has the head first, then the messages,
   * newest first.
   */
  history: historyPrefix,
  /**
   * The head of the cached history, of a window or a stub. Other nodes watch it for new versions.
   */
  head: (tenant: string, conversationId: string) =>
    [...historyPrefix(tenant, conversationId), true] as const,
  /** A message of the cached history. */
  message: (tenant: string, conversationId: string, seq: number) =>
    [...historyPrefix(tenant, conversationId), seq] as const,
  /** The latest partial (interim text) of a speaker. */
  partial: (tenant: string, conversationId: string, role: 'human' | 'ai') =>
    ['live', conversationName(tenant, conversationId), role] as const,
  /** The entry that the breaker's probe writes and reads, in a partition of no conversation. */
  probe: ['history', 'probe', true],
} as const
