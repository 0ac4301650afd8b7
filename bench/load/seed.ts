/** Writes conversations with the rows that the service would write, in two statements. */
import postgres from 'postgres'
import { analyse } from './postgres-server.ts'
import { answer, conversationId, question } from './scene.ts'

export async function seed(
  url: string,
  options: {
    /** The number of the first conversation. @default 1 */
    readonly first?: number
    readonly conversations: number
    /** Number of messages in each conversation, an even number. @default 0 */
    readonly messages?: number
    readonly questionText?: string
    readonly answers?: readonly string[]
  },
): Promise<void> {
  const {
    first = 1,
    conversations,
    messages = 0,
    questionText = question,
    answers = [answer],
  } = options
  const last = first + conversations - 1
  const id = (n: number) => conversationId(n)
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    await sql`insert into conversations (id, tenant, version, self_version, last_seq, created_at, last_message_at)
      select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'default',
        ${1 + messages / 2}, 1, ${messages}, now(), case when ${messages} > 0 then now() end
      from generate_series(${first}::int, ${last}::int) n`
    await sql`insert into conversation_messages
        (conversation_id, seq, id, tenant, turn_id, version, role, parts, message_type, created_at)
      select c.id, n, md5(c.id::text || n)::uuid, 'default', md5(c.id::text || ((n - 1) / 2 * 2 + 1))::uuid,
        2 + (n - 1) / 2, case when n % 2 = 1 then 'human' else 'ai' end,
        case when n % 2 = 1 then array[${questionText}] else ${[...answers]} end, 'text', now()
      from conversations c, generate_series(1, ${messages}::int) n
      where c.id between ${id(first)} and ${id(last)}`
  } finally {
    await sql.end()
  }
  await analyse(url)
}
