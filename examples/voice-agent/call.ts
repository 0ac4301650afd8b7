/** One dialogue as one call: the writes of a voice agent while it listens and speaks. */
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
  /** Milliseconds between two words. */
  readonly wordMs: number
  /** Called at moments when the line may be cut. */
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

  // The caller or the agent begins to speak: the turn gets its seat.
  const { key } = await voice.open()
  moment()
  if (user !== undefined) await speak('human', user)
  const speechEndedAt = now()
  const listening = {
    text: user ?? '',
    voice: { speechEndedAt, durationSeconds: Math.ceil(words(user ?? '').length / 3) },
  }

  // Audio of some parts arrives before their turn, and waits for it.
  const isEarly = parts.map(() => chance.percent(50))
  const attached = parts.map(async (text, part) => {
    if (speech === undefined || isEarly[part] !== true) return
    await voice.attach({ key, part, text, ttsAudioUrl: await speech.say(text) })
    tally.audioEarly += 1
  })
  moment()

  // Speech recognition (STT) takes time: the answer may arrive before the words that it answers.
  const isAnswerFirst = chance.percent(30)
  const completeUser = () => voice.complete(key, { user: listening })
  const userCompleted = isAnswerFirst ? undefined : completeUser()
  await speak('ai', parts.join(''))
  moment()
  const answered = await voice.complete(key, {
    assistant: { responses: parts, firstAudioAt: now() },
  })
  if (isAnswerFirst) {
    moment()
    await completeUser()
    tally.answersFirst += 1
  }
  await userCompleted
  const { assistantMessageId } = answered
  if (assistantMessageId === null) throw new Error('the answer was not recorded')
  tally.turns += 1

  if (chance.percent(30)) {
    // The number of code points that the player reports as played.
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
