/** One dialogue as one call: what a voice agent tells the log while it listens and speaks. */
import type { Voice } from 'turnlog/client'
import type { Chance } from './chance.ts'
import { type Exchange, words } from './dialogues.ts'
import type { Speech } from './speech.ts'

export type Tally = {
  turns: number
  answersFirst: number
  interruptions: number
  unheard: number
  audioEarly: number
  audioLate: number
}

export type CallOptions = {
  readonly voice: Voice
  readonly chance: Chance
  readonly speech: Speech | undefined
  /** Between two words, milliseconds. */
  readonly wordMs: number
  /** Something may go wrong here. */
  readonly moment: () => void
  readonly tally: Tally
}

const now = () => new Date().toISOString()

export async function playExchange(exchange: Exchange, options: CallOptions): Promise<void> {
  const { voice, chance, speech, tally, moment } = options
  const { user, parts } = exchange
  const speak = async (role: 'human' | 'ai', text: string) => {
    for (const soFar of words(text)) {
      voice.partial(role, soFar)
      await Bun.sleep(options.wordMs)
    }
  }

  // Somebody begins to speak, or the agent does: the turn has its place from here on.
  const { key } = await voice.open()
  moment()
  if (user !== undefined) await speak('human', user)
  const speechEndedAt = now()
  const listening = {
    text: user ?? '',
    voice: { speechEndedAt, durationSeconds: Math.ceil(words(user ?? '').length / 3) },
  }

  // Audio of some parts is there before their turn is; it waits for it.
  const isEarly = parts.map(() => chance.percent(50))
  const attached = parts.map(async (text, part) => {
    if (speech === undefined || isEarly[part] !== true) return
    await voice.attach({ key, part, text, ttsAudioUrl: await speech.say(text) })
    tally.audioEarly += 1
  })
  moment()

  // Recognisers take their time: the answer may be there before the words it answers.
  const isAnswerFirst = chance.percent(30)
  const hear = () => voice.complete(key, { user: listening })
  const heard = isAnswerFirst ? undefined : hear()
  await speak('ai', parts.join(''))
  moment()
  const answered = await voice.complete(key, {
    assistant: { responses: parts, firstAudioAt: now() },
  })
  if (isAnswerFirst) {
    moment()
    await hear()
    tally.answersFirst += 1
  }
  await heard
  const { assistantMessageId } = answered
  if (assistantMessageId === null) throw new Error('the answer was not recorded')
  tally.turns += 1

  if (chance.percent(30)) {
    // In code points, as many as the player says it has played.
    const characters = chance.upTo(Array.from(parts.join('')).length)
    await voice.interrupt(assistantMessageId, { characters })
    tally.interruptions += 1
    if (characters === 0) tally.unheard += 1
  }
  moment()
  for (const [part, text] of parts.entries()) {
    if (speech === undefined || isEarly[part] === true) continue
    const ttsAudioUrl = await speech.say(text)
    await voice.attach({ messageId: assistantMessageId, part, text, ttsAudioUrl })
    tally.audioLate += 1
  }
  await Promise.all(attached)
}
