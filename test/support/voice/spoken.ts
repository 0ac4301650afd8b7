/** Two spoken turns with every kind of write, and the conversation that they leave. */
import type { TurnlogClient, Voice } from '../../../src/client/client.ts'

const base = Date.UTC(2026, 0, 1)
const at = (second: number) => new Date(base + second * 1000).toISOString()
const url = (name: string) => `https://a.example/${name}.wav`

const turns = [
  {
    key: 'k0',
    text: 'Is there a table?',
    parts: ['Yes, there is.', 'Shall I take it?'],
    first: 'user',
  },
  { key: 'k1', text: 'Yes, for two.', parts: ['For two.', 'It is done.'], first: 'assistant' },
] as const

/** Makes the same writes under the same keys in each run. Calls `step` before each write. */
export async function speak(voice: Voice, step: (name: string) => void): Promise<void> {
  for (const [n, { key, text, parts, first }] of turns.entries()) {
    const second = 100 * n
    step(`open ${key}`)
    await voice.open({ key, at: at(second) })
    voice.partial('human', text.slice(0, 5))
    step(`early audio ${key}`)
    await voice.attach({ key, part: 0, text: parts[0], ttsAudioUrl: url(`${key}-0`) })
    const user = { text, voice: { speechEndedAt: at(second + 2) } }
    const assistant = { responses: [...parts], at: at(second + 3), firstAudioAt: at(second + 4) }
    step(`half ${key}`)
    await voice.complete(key, first === 'user' ? { user } : { assistant })
    step(`other half ${key}`)
    const done = await voice.complete(key, first === 'user' ? { assistant } : { user })
    if (done.assistantMessageId === null) throw new Error('the completed turn has no answer')
    step(`interrupt ${key}`)
    await voice.interrupt(done.assistantMessageId, { characters: 8 }, { at: at(second + 5) })
    step(`late audio ${key}`)
    const target = { messageId: done.assistantMessageId, part: 1, text: parts[1] }
    await voice.attach({ ...target, ttsAudioUrl: url(`${key}-1`) })
  }
  step('end')
  await voice.end()
}

/** The content of a conversation, without the ids, which are new in each run. */
export async function contentOf(client: TurnlogClient, id: string) {
  const { messages } = await client.listMessages(id, { include: 'pending' })
  const { messages: heard } = await client.getHistory(id, { view: 'heard' })
  const { voiceSessions } = await client.listVoiceSessions(id)
  const shown = (message: (typeof messages)[number]) => {
    const { seq, role, state, content, voiceSessionId, ttsAudioUrls, createdAt } = message
    const { heard, interruptedAt, speechEndedAt, firstAudioAt } = message
    const partner = messages.find((other) => other.turnId === message.turnId && other !== message)
    const stored = { seq, role, state, content, voiceSessionId, ttsAudioUrls, createdAt }
    return { ...stored, heard, interruptedAt, speechEndedAt, firstAudioAt, partner: partner?.seq }
  }
  return {
    messages: messages.map(shown),
    heard: heard.map(({ content }) => content),
    sessions: voiceSessions.map((session) => [session.id, session.endedAt !== null]),
  }
}
