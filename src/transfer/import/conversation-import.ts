/** Carries out the steps of one conversation, in order; after a refused turn, the rest waits for its place. */
import { isDeepStrictEqual } from 'node:util'
import type { Message, RecordedTurn, Segment } from '../../conversation/wire/schemas.ts'
import type { Audio, Report, Step } from '../formats/steps.ts'
import { Refused, type Rest } from '../rest.ts'
import { createAttachments } from './attachment.ts'
import { createOrFind } from './conversation-creation.ts'
import { createSegmentAudio } from './segment-audio.ts'
import { createSpeechImport } from './speech-import.ts'
import { standing } from './standing.ts'
import type { Place, Tally } from './tally.ts'

export type ConversationImport = {
  apply(step: Step, place: Place): Promise<void>
  /** After the last step. */
  finish(): void
}

export type ImportOptions = {
  readonly id: string
  /** Whether an `end` has to come: without it the file was cut off. */
  readonly needsEnd: boolean
  readonly rest: Rest
  readonly tally: Tally
  /** Record what follows a turn that is missing. */
  readonly allowGaps: boolean
}

type RecordStep = Step & { do: 'record' }

export function createConversationImport({
  id,
  needsEnd,
  rest,
  tally,
  allowGaps,
}: ImportOptions): ConversationImport {
  const path = `/v1/conversations/${id}`
  const attachments = createAttachments(rest, path)
  const speech = createSpeechImport(rest, path)
  let isThere = false
  const segmentAudio = createSegmentAudio(attachments, tally)
  let stopped = false
  /** What to do where the conversation that is there is another one. */
  let advice = ''
  let isUnderEarlierId = false
  let nextSeq = 1
  let hasEnded = false
  let lastPlace: Place | undefined

  const stop = (place: Place, what: string, reason: string, isLine = false): undefined => {
    stopped = true
    tally.refused(place, what, reason, isLine)
  }

  const create = async ({ body, whole, kept }: Step & { do: 'create' }, place: Place) => {
    const made = await createOrFind(body, whole, { rest, note: (text) => tally.noted(place, text) })
    if (made.outcome === 'refused') return stop(place, made.what, made.reason, true)
    isThere = made.outcome !== 'new'
    isUnderEarlierId = made.outcome === 'earlier'
    advice = whole?.advice ?? ''
    tally.count(isThere ? 'conversations there' : 'conversations new')
    tally.kept(kept)
  }

  const createSegment = async (segmentId: string, isCounted: boolean) => {
    const { status } = await rest.send<Segment>('POST', `${path}/segments`, { id: segmentId })
    if (isCounted) tally.count(status === 201 ? 'segments new' : 'segments there')
  }

  const send = async ({ turn, key }: RecordStep) =>
    rest.send<RecordedTurn | undefined>('POST', `${path}/turns`, turn, key)

  /** Segments may be named before their line, where they were made while the export ran. */
  const sendWithSegments = async (step: RecordStep) => {
    try {
      return await send(step)
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== 'segment-not-found') throw error
      await createSegment(step.turn.segment?.id ?? '', false)
      return send(step)
    }
  }

  const attach = async (audio: Audio) => {
    try {
      await attachments.toMessage(audio)
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== 'segment-not-found') throw error
      await createSegment(audio.segmentId ?? '', false)
      await attachments.toMessage(audio)
    }
    tally.count('audio')
  }

  /** Audio has no order that a refusal could break: the rest goes on. */
  const tryAudio = async (place: Place, attaching: () => Promise<void>) => {
    try {
      await attaching()
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      tally.refused(place, `audio: ${error.code}`, `conversation ${id}: ${error.message}`)
    }
  }

  const reasonOf = ({ seq }: RecordStep, { code, message }: Refused): string =>
    code === 'idempotency-conflict' && seq !== undefined
      ? `conversation ${id} was imported with another message ${seq} than this line has (${code}): nothing was added from there on. ${advice}`
      : `conversation ${id}: ${message}`

  /** The turn's messages as they now stand; undefined where it was refused. */
  const recordOrFind = async (step: RecordStep, place: Place): Promise<Message[] | undefined> => {
    try {
      const before = isThere ? await speech.goOn(step) : undefined
      if (before !== undefined) {
        tally.count(before.replayed ? 'turns replayed' : 'turns new')
        return before.messages
      }
      const { status, body } = await sendWithSegments(step)
      if (body === undefined) return stop(place, 'turns: no answer', 'the answer has no parts')
      tally.count(status === 201 ? 'turns new' : 'turns replayed')
      return body.messages
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      const isTaken = error.code === 'idempotency-conflict' || error.code === 'id-taken'
      const found = isTaken ? await standing(rest, path, step) : undefined
      if (found === undefined) return stop(place, `turns: ${error.code}`, reasonOf(step, error))
      tally.count('turns replayed')
      return found
    }
  }

  const isGap = (seq: number | undefined, place: Place): boolean => {
    if (seq === undefined || seq <= nextSeq || allowGaps) return false
    stop(
      place,
      'turns: one before them is missing',
      `message ${nextSeq} of conversation ${id} is missing before this one, ${seq}`,
    )
    return true
  }

  const placed = (seq: number, count: number, there: number | undefined) => {
    nextSeq = Math.max(nextSeq, seq + count)
    if (there !== seq) tally.count('turns moved')
  }

  const half = async (step: Step & { do: 'half' }, place: Place) => {
    const { seq, key, halves, audio, report } = step
    if (isGap(seq, place)) return
    let there = halves.user === undefined ? undefined : await speech.open(key, halves.user.at)
    const { messages, replayed } = await speech.complete(step)
    there ??= messages.find(({ role }) => role === 'ai')?.seq
    tally.count(replayed ? 'turns replayed' : 'turns new')
    placed(seq, 1, there)
    await laterOf(messages.at(-1), audio, report, place)
  }

  const seat = async (seq: number, key: string, place: Place) => {
    if (!isGap(seq, place)) placed(seq, 1, await speech.open(key, undefined))
  }

  /** What may have come to an answer after it was recorded. */
  const laterOf = async (
    now: Message | undefined,
    audio: Audio | undefined,
    report: Report | undefined,
    place: Place,
  ) => {
    if (report !== undefined) await speech.report(report)
    if (audio === undefined) return
    if (isDeepStrictEqual([now?.ttsAudioUrls, now?.segmentId], [audio.urls, audio.segmentId]))
      attachments.carry(audio)
    else await tryAudio(place, () => attach(audio))
  }

  const record = async (step: RecordStep, place: Place) => {
    const { exported, audio, report, kept } = step
    if (isUnderEarlierId) return tally.count('turns replayed')
    const seq = exported?.[0]?.seq
    if (isGap(seq, place)) return
    const messages = await recordOrFind(step, place)
    if (messages === undefined) return
    tally.kept(kept)
    if (exported !== undefined && seq !== undefined) placed(seq, exported.length, messages[0]?.seq)
    else if (step.seq !== undefined && messages[0]?.seq !== step.seq) tally.count('turns moved')
    await laterOf(messages.at(-1), audio, report, place)
  }

  const close = async (messages: number, place: Place) => {
    await segmentAudio.close(tryAudio)
    if (messages !== nextSeq - 1 && !allowGaps)
      tally.refused(
        place,
        'conversations: messages are missing',
        `conversation ${id} has ${messages} messages, and ${nextSeq - 1} were there to import`,
      )
  }

  const carryOut = (step: Step, place: Place): Promise<void> | void => {
    switch (step.do) {
      case 'create':
        return create(step, place)
      case 'record':
        return record(step, place)
      case 'seat':
        return seat(step.seq, step.key, place)
      case 'half':
        return half(step, place)
      case 'heard':
        return speech.report(step.report)
      case 'voiceSession':
        return speech.session(step)
      case 'segment':
        return createSegment(step.segmentId, true)
      case 'messageAudio':
        return tryAudio(place, () => attach(step.audio))
      case 'segmentAudio':
        return tryAudio(place, () => segmentAudio.give(step.segmentId, step.urls, place))
      case 'end':
        return close(step.messages, place)
      case 'withdraw':
        return stop(
          place,
          'conversations: erased while they were exported',
          `conversation ${id} was erased at its source: erase what was imported of it`,
        )
    }
  }

  return {
    async apply(step, place) {
      lastPlace = place
      if (step.do === 'end' || step.do === 'withdraw') hasEnded = true
      else if (stopped) return tally.held()
      if (stopped && step.do === 'end') return
      try {
        await carryOut(step, place)
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        const reason = `conversation ${id}: ${error.message}`
        stop(place, `${step.do}: ${error.code}`, reason, step.do === 'create')
      }
    },
    finish() {
      if (needsEnd && !hasEnded && lastPlace !== undefined)
        tally.failed(lastPlace, `the lines of conversation ${id} end here, without an \`end\``)
    },
  }
}
