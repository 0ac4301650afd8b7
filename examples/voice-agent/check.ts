/** What a conversation must hold after a call, whatever happened on the line. */
import type { TurnlogClient } from 'turnlog/client'
import type { Exchange } from './dialogues.ts'
import type { Speech } from './speech.ts'

/** What is wrong; nothing, as a rule. */
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
  const wrong: string[] = []
  const expected = exchanges.flatMap(({ user = '', parts }) => [[user], parts])
  if (JSON.stringify(said.map(({ parts }) => parts)) !== JSON.stringify(expected))
    wrong.push('the words are others')
  if (said.some(({ role }, n) => role !== (n % 2 === 0 ? 'human' : 'ai')))
    wrong.push('the order is another')
  for (const message of said) {
    const shown = heard.get(message.id)?.parts.join('') ?? ''
    const characters = message.heard?.characters
    const whole = Array.from(message.parts.join(''))
    const all = characters === undefined ? whole : whole.slice(0, characters)
    if (shown !== all.join('')) wrong.push(`message ${message.seq} is not shown as it was heard`)
  }
  for (const { role, seq, parts, ttsAudioUrls } of said) {
    if (role === 'human' || speech === undefined) continue
    const audio = await Promise.all(parts.map((text) => speech.say(text)))
    if (JSON.stringify(ttsAudioUrls) !== JSON.stringify(audio))
      wrong.push(`message ${seq} has not the audio of its parts`)
  }
  return wrong
}
