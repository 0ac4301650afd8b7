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
    const all = characters === undefined ? message.parts : wholeGraphemes(message.parts, characters)
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

/** The whole graphemes within the first `characters` code points. */
function wholeGraphemes(parts: readonly string[], characters: number): string[] {
  const segmenter = new Intl.Segmenter('en')
  const graphemes = parts.flatMap((part) => Array.from(segmenter.segment(part)))
  let remaining = characters
  const end = graphemes.findIndex(({ segment }) => {
    remaining -= Array.from(segment).length
    return remaining < 0
  })
  return graphemes.slice(0, end === -1 ? undefined : end).map(({ segment }) => segment)
}
