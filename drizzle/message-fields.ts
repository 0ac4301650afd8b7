/**
 * The nullable columns of a message whose values come from the caller. Every way of writing
 * messages uses this list, in the functions (`function-placeholders.ts`) and in the service. `of`
 * says which message has the column: the human's, the assistant's, or both. A call names the value
 * by the half and the column: `human_metadata`, `assistant_metadata`.
 */
export const messageFields = {
  voice_session_id: { type: 'text', of: 'human' },
  duration_seconds: { type: 'integer', of: 'human' },
  tts_audio_urls: { type: 'text[]', of: 'assistant' },
  memory_retrieval_trace: { type: 'jsonb', of: 'assistant' },
  metadata: { type: 'jsonb', of: 'both' },
  speech_ended_at: { type: 'timestamptz', of: 'human' },
  first_audio_at: { type: 'timestamptz', of: 'assistant' },
} as const satisfies Record<string, MessageField>

export type MessageField = {
  readonly type: 'text' | 'integer' | 'text[]' | 'jsonb' | 'timestamptz'
  readonly of: MessageHalf | 'both'
}

export type MessageHalf = 'human' | 'assistant'
