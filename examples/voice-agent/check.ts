/** The check after a call: the conversation has the right words, order, interruptions and audio. */
import type { TurnlogClient } from 'turnlog/client'
import type { Exchange } from './dialogues.ts'
import type { Speech } from './speech.ts'

/** The differences between the dialogue and the recorded conversation. The list should be empty. */
export async function check(
  turnlog: TurnlogClient,
  id: string,
  exchanges: readonly Exchange[],
  speech: Speech | undefined,
): Promise<string[]> {
  const said = (await turnlog.getHistory(id, { view: 'said' })).messages
  const heard = new Map(
    (await turnlog.getHistory(id, { view: 'heard' })).messages.map((message) => [
      message.id,
      message,
    ]),
  )
  const problems: string[] = []
  const expected = exchanges.flatMap(({ user = '', parts }) => [[user], parts])
  if (JSON.stringify(said.map(({ parts }) => parts)) !== JSON.stringify(expected))
    problems.push('the words differ')
  if (said.some(({ role }, n) => role !== (n % 2 === 0 ? 'human' : 'ai')))
    problems.push('the order differs')
  for (const message of said) {
    const shown = heard.get(message.id)?.parts.join('') ?? ''
    const characters = message.heard?.characters
    const whole = Array.from(message.parts.join(''))
    const all = characters === undefined ? whole : whole.slice(0, characters)
    if (shown !== all.join(''))
      problems.push(`message ${message.seq} is not shown as the listener heard it`)
  }
  for (const { role, seq, parts, ttsAudioUrls } of said) {
    if (role === 'human' || speech === undefined) continue
    const audio = await Promise.all(parts.map((text) => speech.say(text)))
    if (JSON.stringify(ttsAudioUrls) !== JSON.stringify(audio))
      problems.push(`message ${seq} does not have the audio of its parts`)
  }
  return problems
}
