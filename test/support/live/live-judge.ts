/**
 * Judges the recorded history of a run, and nothing else: it knows the protocol, and nothing of how
 * the service or the clients keep it. A run is right if nothing is answered.
 */
import type { Message } from '../../../src/conversation/wire/schemas.ts'
import type { ServerFrames } from '../../../src/live/protocol/server-frames.ts'
import { versionOf } from './live.ts'
import type {
  History,
  ProducerEvent,
  ProducerHistory,
  SubscriberHistory,
  TrueConversation,
  Truth,
} from './live-history.ts'

export type Rule =
  /** A version did not increase, or a row is outside its range. */
  | 'order'
  /** A range begins after what came before it. */
  | 'hole'
  /** The same state of a row came twice, or a range begins before what was sent. */
  | 'twice'
  /** Delivery did not begin where it was asked to, or a client asked for another place than its own. */
  | 'resume'
  /** Something was delivered that is not in Postgres. */
  | 'unfounded'
  /** What was put together of all frames is not what Postgres has. */
  | 'folded'
  /** Something acknowledged is not in Postgres. */
  | 'lost'
  /** A turn is there twice, or was acknowledged as two. */
  | 'doubled'
  /** Turns of one socket were not recorded in the order of their frames. */
  | 'fifo'
  /** Postgres breaks its own rules. */
  | 'database'
  /** Not at the head in time. */
  | 'late'
  /** A subscription ended, or a turn was refused, without a reason in Postgres. */
  | 'refused'
  /** A node failed, and not by what was done to it. */
  | 'fault'

export type Violation = {
  readonly rule: Rule
  readonly who: string
  readonly c: string
  readonly what: string
}

type Report = (rule: Rule, c: string, what: string) => void

export function check(history: History): Violation[] {
  const violations: Violation[] = []
  const reportOf =
    (who: string): Report =>
    (rule, c, what) => {
      violations.push({ rule, who, c, what })
    }
  for (const one of history.subscribers) checkSubscriber(one, history, reportOf(one.name))
  checkTurns(history, reportOf('turns'))
  for (const one of history.producers) {
    checkProducer(one, history.truth, reportOf(one.name))
    checkOrder(one, reportOf(one.name))
  }
  for (const [c, conversation] of history.truth)
    checkTruth(conversation, (rule, what) => reportOf('Postgres')(rule, c, what))
  for (const { name, c, ms } of history.arrivals)
    if (ms === undefined) reportOf(name)('late', c, 'is not at the head in time')
  for (const { name, faults } of history.nodes)
    for (const fault of faults) reportOf(name)('fault', '', fault)
  return violations
}

/** What a subscriber holds of one conversation. */
class Held {
  /** Undefined before delivery has begun. */
  last: number | undefined
  /** Whether it follows it on the socket that is open. */
  open = false
  asked: { cursor?: string; tail?: number } | undefined
  /** A snapshot of so many messages at this version must come before anything else. */
  snapshot: { readonly at: number; readonly count: number } | undefined
  /** What lies at or below, and before this place, was there before it came. */
  base = 0
  firstSeq = Number.POSITIVE_INFINITY
  ended = false
  title: string | null | undefined
  readonly messages = new Map<string, Message>()
  readonly segments = new Map<string, number>()
  readonly seen = new Set<string>()
}

function checkSubscriber({ events }: SubscriberHistory, { truth }: History, report: Report): void {
  const holdings = new Map<string, Held>()
  const heldOf = (c: string) => {
    const held = holdings.get(c) ?? new Held()
    holdings.set(c, held)
    return held
  }
  for (const event of events) {
    if (event.kind === 'opened' || event.kind === 'closed') {
      for (const held of holdings.values()) {
        // Without the snapshot it has nothing to go on from.
        if (held.snapshot !== undefined) held.last = undefined
        held.open = false
        held.asked = undefined
        held.snapshot = undefined
      }
    } else if (event.kind === 'asked') {
      const { c, cursor, tail } = event
      const held = heldOf(c)
      held.open = false
      held.asked = {
        ...(cursor === undefined ? {} : { cursor }),
        ...(tail === undefined ? {} : { tail }),
      }
      if (cursor === undefined) {
        if (held.last !== undefined) report('resume', c, `began anew, and holds ${held.last}`)
        continue
      }
      const at = versionOf(cursor)
      if (held.last !== undefined && held.last !== at)
        report('resume', c, `asked for what follows ${at} and holds ${held.last}`)
    } else {
      const { frame } = event
      if (frame.t === 'ping') {
        for (const [c, version] of Object.entries(frame.heads)) {
          const { open, last = 0 } = heldOf(c)
          if (open && version > last) report('hole', c, `was sent ${version} and got ${last}`)
        }
      } else if (frame.t === 'subscribed') takeSubscribed(frame, heldOf(frame.c), report)
      else if (frame.t === 'change') takeChange(frame, heldOf(frame.c), truth, report)
      else if (frame.t === 'live') {
        const { last } = heldOf(frame.c)
        if (frame.version !== last) report('hole', frame.c, `live at ${frame.version}, has ${last}`)
      } else if (frame.t === 'bye') {
        if (!expectedCodes.has(frame.code)) report('fault', '', `bye with ${frame.code}`)
      } else if (frame.t === 'reset' || frame.t === 'problem') {
        const c = frame.c ?? ''
        const held = heldOf(c)
        const reason = frame.t === 'reset' ? frame.reason : frame.code
        if (frame.t === 'problem' && frame.retryable) continue
        held.open = false
        held.ended = true
        const isErased = reason === 'conversation-erased' && truth.get(c)?.erased === true
        if (!isErased) report('refused', c, `ended by ${reason}`)
      }
    }
  }
  for (const [c, held] of holdings) checkFolded(c, held, truth.get(c), report)
}

/** What faults bring about: a slow or silent reader, and a drain. */
const expectedCodes = new Set([4101, 4104, 4200])

function takeSubscribed(frame: ServerFrames['subscribed'], held: Held, report: Report): void {
  const { c, cursor, recovered } = frame
  const at = versionOf(cursor)
  const { asked } = held
  held.asked = undefined
  held.open = true
  if (asked === undefined) {
    report('resume', c, 'subscribed without having asked')
    return
  }
  if (asked.cursor !== undefined) {
    if (asked.cursor !== cursor || !recovered)
      report('resume', c, `asked for what follows ${versionOf(asked.cursor)}, and got ${at}`)
    if (held.last === undefined) {
      held.base = at
      held.firstSeq = Number.POSITIVE_INFINITY
    }
  } else {
    if (recovered) report('resume', c, 'recovered without a cursor')
    forget(held)
    held.base = at
    held.firstSeq = Number.POSITIVE_INFINITY
    if (asked.tail !== undefined) held.snapshot = { at, count: asked.tail }
  }
  held.last = at
}

function takeChange(frame: ServerFrames['change'], held: Held, truth: Truth, report: Report): void {
  const { c, from, version, cursor, messages, segments = [], conversation, snapshot } = frame
  const { last = 0 } = held
  if (!held.open) report('resume', c, `a change to ${version} came before its subscription`)
  if (versionOf(cursor) !== version) report('order', c, `the cursor of ${version} is another one`)
  const known = truth.get(c)
  if (held.snapshot !== undefined || snapshot === true) {
    const { at, count = 0 } = held.snapshot ?? {}
    if (snapshot !== true || from !== 0 || version !== at)
      report('resume', c, `the snapshot at ${at} is ${from}..${version}`)
    forget(held)
    held.snapshot = undefined
    // What it leaves out below its end is missed when all is put together.
    held.firstSeq = messages[0]?.seq ?? 0
    const isShort = messages.length < count && held.firstSeq > 1
    if (messages.length > count || (isShort && JSON.stringify(messages).length < snapshotBytes))
      report('resume', c, `a tail of ${count} brought ${messages.length}`)
    if (messages.some((message) => message.version > version))
      report('order', c, `the snapshot at ${version} holds what is later`)
  } else {
    if (from > last) report('hole', c, `${from}..${version} came after ${last}`)
    if (from < last) report('twice', c, `${from}..${version} came after ${last}`)
    if (version <= last || version <= from)
      report('order', c, `${from}..${version} came after ${last}`)
    for (const row of [...messages, ...segments])
      if (row.version <= from || row.version > version)
        report('order', c, `version ${row.version} came in ${from}..${version}`)
  }
  if (known === undefined || version > known.version)
    report('unfounded', c, `version ${version}, Postgres has ${known?.version}`)
  for (const message of messages) {
    const name = `${message.id} ${message.version}`
    if (held.seen.has(name)) report('twice', c, `message ${name}`)
    held.seen.add(name)
    held.messages.set(message.id, message)
    if (known !== undefined) checkFounded(c, message, known, report)
  }
  for (const { id, version: at } of segments) held.segments.set(id, at)
  if (conversation !== undefined) {
    held.title = conversation.title
    if (conversation.erasedAt !== null && known?.erased !== true)
      report('unfounded', c, 'was erased')
  }
  held.last = version
}

/** From here on the next message may not fit into a page, and a snapshot be shorter than was asked for. */
const snapshotBytes = 10_000

/** An erased one has left nothing to compare with. */
function checkFounded(c: string, message: Message, known: TrueConversation, report: Report): void {
  if (known.erased) return
  const found = messagesById(known).get(message.id)
  if (found === undefined) {
    report('unfounded', c, `message ${message.id} is not there`)
    return
  }
  const { id, version } = message
  const isSame =
    found.seq === message.seq &&
    found.turnId === message.turnId &&
    found.role === message.role &&
    found.messageType === message.messageType &&
    found.voiceSessionId === message.voiceSessionId &&
    Bun.deepEquals(found.parts, message.parts)
  if (!isSame) report('unfounded', c, `message ${id} reads otherwise`)
  if (version > found.version) report('unfounded', c, `message ${id} has not come to ${version}`)
  if (version === found.version && !Bun.deepEquals(found.ttsAudioUrls, message.ttsAudioUrls))
    report('unfounded', c, `message ${id} has other audio at ${version}`)
}

const indexes = new WeakMap<TrueConversation, Map<string, TrueConversation['messages'][number]>>()
function messagesById(known: TrueConversation) {
  const found = indexes.get(known) ?? new Map(known.messages.map((each) => [each.id, each]))
  indexes.set(known, found)
  return found
}

function forget(held: Held): void {
  held.messages.clear()
  held.segments.clear()
  held.seen.clear()
  held.title = undefined
}

function checkFolded(
  c: string,
  held: Held,
  known: TrueConversation | undefined,
  report: Report,
): void {
  if (known === undefined || known.erased || held.ended || held.last === undefined) return
  if (held.last !== known.version)
    report('folded', c, `stands at ${held.last}, Postgres at ${known.version}`)
  for (const message of known.messages) {
    if (message.version <= held.base && message.seq < held.firstSeq) continue
    const own = held.messages.get(message.id)
    if (own?.version !== message.version)
      report('folded', c, `has ${message.id} at ${own?.version}, Postgres at ${message.version}`)
  }
  for (const { id, version } of known.segments)
    if (version > held.base && held.segments.get(id) !== version)
      report('folded', c, `has segment ${id} at ${held.segments.get(id)}, Postgres at ${version}`)
  if (known.selfVersion > held.base && held.title !== known.title)
    report('folded', c, `has the title ${held.title}, Postgres ${known.title}`)
}

/** What a key was said to stand for, whoever said it. */
function checkTurns({ producers, truth }: History, report: Report): void {
  const sent = new Map<string, Set<string>>()
  for (const { events } of producers)
    for (const event of events)
      if (event.kind === 'sent') {
        const names = sent.get(event.c) ?? new Set()
        sent.set(event.c, names.add(`${event.key} ${event.text}`))
      }
  for (const [c, { messages }] of truth) {
    const turns = Map.groupBy(messages, ({ turnId }) => turnId)
    const names = new Map<string, number>()
    for (const [first] of turns.values()) {
      if (first === undefined) continue
      const text = first.parts[0] ?? ''
      names.set(text, (names.get(text) ?? 0) + 1)
      if (sent.get(c)?.has(`${first.key} ${text}`) !== true)
        report('unfounded', c, `nobody sent the turn ${text}`)
    }
    for (const [text, count] of names)
      if (count > 1) report('doubled', c, `the turn ${text} is there ${count} times`)
  }
  const versions = new Map<string, string>()
  for (const { events } of producers)
    for (const event of events) {
      const name = versionName(event)
      if (name === undefined) continue
      const [at, what] = name
      const other = versions.get(at)
      if (other !== undefined && other !== what)
        report('doubled', event.c, `${what} and ${other} took the same version`)
      versions.set(at, what)
    }
}

/** The version that a call took, and what for; audio sent again may be told a later one. */
function versionName(event: ProducerEvent): [string, string] | undefined {
  if (event.kind === 'recorded') return [`${event.c} ${event.version}`, `turn ${event.key}`]
  if (event.kind === 'changed' && event.change.what === 'segment')
    return [`${event.c} ${event.version}`, `segment ${event.change.id}`]
  return undefined
}

function checkProducer({ events }: ProducerHistory, truth: Truth, report: Report): void {
  const first = new Map<string, Extract<ProducerEvent, { kind: 'recorded' }>>()
  const titles = new Map<string, Set<string>>()
  /** Titles that a call which was given up may still set, whenever that is. */
  const ghosts = new Map<string, Set<string>>()
  for (const event of events) {
    const { c } = event
    const known = truth.get(c)
    if (known === undefined) {
      report('lost', c, 'the conversation is not there')
      continue
    }
    if (event.kind === 'recorded') {
      const { key, ids, version } = event
      const before = first.get(`${c} ${key}`)
      if (before !== undefined && (before.version !== version || before.ids.join() !== ids.join()))
        report('doubled', c, `${key} was acknowledged as ${before.ids.join()} and as ${ids.join()}`)
      if (before !== undefined && !event.replayed)
        report('doubled', c, `${key} was acknowledged twice as new`)
      first.set(`${c} ${key}`, event)
      if (!known.erased) checkAcknowledged(event, known, report)
    } else if (event.kind === 'refused') {
      if (!known.erased) report('refused', c, `${event.key} was refused with ${event.code}`)
    } else if (event.kind === 'trying' || event.kind === 'changed') {
      const { change } = event
      if (change.what === 'title') {
        // Whatever was tried after the last one that was acknowledged may stand in its place.
        const open = event.kind === 'changed' ? new Set(ghosts.get(c)) : titles.get(c)
        titles.set(c, (open ?? new Set([''])).add(change.title))
        if (event.kind === 'changed' && event.isUnsure)
          ghosts.set(c, new Set(ghosts.get(c)).add(change.title))
      }
      if (event.kind === 'trying') continue
      if (change.what === 'erasure') {
        if (!known.erased) report('lost', c, 'the erasure')
      } else if (known.erased) continue
      else if (change.what === 'segment') {
        if (!known.segments.some(({ id }) => id === change.id))
          report('lost', c, `the segment ${change.id}`)
      } else if (change.what === 'audio') {
        const found = messagesById(known).get(change.id)
        if (!Bun.deepEquals(found?.ttsAudioUrls, change.urls))
          report('lost', c, `the audio of ${change.id}`)
      }
      if (event.version > known.version)
        report('unfounded', c, `${change.what} at ${event.version}, Postgres at ${known.version}`)
    }
  }
  for (const [c, open] of titles) {
    const known = truth.get(c)
    if (known?.erased === false && !open.has(known.title ?? ''))
      report('lost', c, `the title is ${known.title}, and was acknowledged as ${[...open].join()}`)
  }
}

function checkAcknowledged(
  { c, key, ids, version }: Extract<ProducerEvent, { kind: 'recorded' }>,
  known: TrueConversation,
  report: Report,
): void {
  const [humanId] = ids
  const found = ids.flatMap((id) => (id === null ? [] : [messagesById(known).get(id)]))
  if (found.length === 0 || found.includes(undefined)) {
    report('lost', c, `the turn ${key} is not there`)
    return
  }
  if (found.some((message) => (message?.version ?? 0) < version))
    report('lost', c, `the turn ${key} was acknowledged as ${version} and stands below`)
  if (found[0]?.key !== key) report('lost', c, `the turn ${key} stands under ${found[0]?.key}`)
  // A message of the user is never touched again.
  if (humanId !== null && found[0]?.version !== version)
    report('lost', c, `the turn ${key} took ${found[0]?.version}, acknowledged as ${version}`)
}

/**
 * The turns of each socket and conversation, in the order of their frames. Only those that were
 * recorded on the socket on which they were sent last: one that was recorded before stands where it stands.
 */
function linesOf({ events }: ProducerHistory) {
  const sends = new Map<string, { socket: number | undefined; place: number }>()
  const lines = new Map<string, { place: number; version: number; key: string }[]>()
  for (const [place, event] of events.entries()) {
    if (event.kind === 'sent') sends.set(`${event.c} ${event.key}`, { socket: event.socket, place })
    if (event.kind !== 'recorded' || event.replayed) continue
    const send = sends.get(`${event.c} ${event.key}`)
    if (send?.socket === undefined) continue
    const line = `${event.c} ${send.socket}`
    const known = lines.get(line) ?? []
    known.push({ place: send.place, version: event.version, key: event.key })
    lines.set(line, known)
  }
  return [...lines].map(([line, turns]) => ({
    c: line.split(' ')[0] ?? '',
    turns: turns.toSorted((one, other) => one.place - other.place),
  }))
}

/** How many turns stand after another one of their socket and conversation: what `fifo` is judged by. */
export const orderedTurns = (history: ProducerHistory): number =>
  linesOf(history).reduce((count, { turns }) => count + turns.length - 1, 0)

function checkOrder(history: ProducerHistory, report: Report): void {
  for (const { c, turns } of linesOf(history)) {
    for (const [index, { version, key }] of turns.entries()) {
      const before = turns[index - 1]
      if (before !== undefined && before.version > version)
        report('fifo', c, `${key} was sent after ${before.key}`)
    }
  }
}

function checkTruth(
  { version, lastSeq, erased, messages, segments }: TrueConversation,
  report: (rule: Rule, what: string) => void,
): void {
  if (erased) {
    if (messages.length + segments.length > 0) report('database', 'an erased one has rows')
    return
  }
  if (messages.some(({ seq }, index) => seq !== index + 1) || lastSeq !== messages.length)
    report('database', 'seq is not dense')
  if ([...messages, ...segments].some((row) => row.version > version))
    report('database', 'a row lies above its conversation')
  for (const [at, rows] of Map.groupBy(messages, (message) => message.version))
    if (new Set(rows.map(({ turnId }) => turnId)).size > 1)
      report('database', `version ${at} touched two turns`)
}

/** For people: how many of each rule, and the first few. */
export function summary(violations: readonly Violation[]): string {
  const counts = [...Map.groupBy(violations, ({ rule }) => rule)].map(
    ([rule, all]) => `${rule} ${all.length}`,
  )
  const first = violations
    .slice(0, 8)
    .map(({ rule, who, c, what }) => `  ${rule}: ${who}, ${c}: ${what}`)
  return [counts.join(', '), ...first].join('\n')
}
