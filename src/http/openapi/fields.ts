/** The parameters of the routes. */

import { type HistoryFormat, historyFormats } from '../../conversation/wire/history-formats.ts'
import { canonicalId } from '../../conversation/wire/ids.ts'
import { isUuid } from '../../conversation/wire/validation.ts'
import { type View, views } from '../../conversation/wire/views.ts'
import { type Parameter, refuse } from './parameters.ts'

const visibleAscii = /^[\x21-\x7e]{1,255}$/
const version = /^(?:(\d{1,16})|"(\d{1,16})")$/

const pathId = (name: string, description: string): Parameter<string, true> => ({
  in: 'path',
  name,
  description,
  schema: { type: 'string', format: 'uuid' },
  isPresent: true,
  read: (text) => (isUuid(text) ? canonicalId(text) : refuse('id-invalid', 'must be a UUID')),
})

export const conversationId = pathId('id', 'The id of the conversation.')
export const messageId = pathId('mid', 'The id of the AI message.')
export const segmentId = pathId('sid', 'The id of the segment.')

const text = (name: string, description: string): Parameter<string, false> => ({
  in: 'query',
  name,
  description,
  schema: { type: 'string', minLength: 1 },
  isPresent: false,
  read: (value) => {
    if (value === '') return refuse('field-invalid', 'must not be empty')
    return value.includes('\0') ? refuse('text-invalid', 'must not contain NUL') : value
  },
})

export const externalId = text('externalId', 'List only the conversation with this external id.')
export const page = text(
  'page',
  '`nextPage` of the previous answer, unchanged. Leave it out for the first page.',
)
export const since = text(
  'since',
  'The `cursor` of your last answer. Without it, the changes start at the beginning of the conversation.',
)
export const minCursor = text(
  'minCursor',
  'Read a state that is at least as new as this cursor, for example the one of your last write. If you send it without `consistency`, the read is `eventual`.',
)

/** A parameter for a number of rows. The upper bound of its range is a setting. */
function count(name: string, description: string, max: { setting: string; value: number }) {
  const refusal = refuse(
    'limit-invalid',
    `must be a whole number from 1 to ${max.value} (the setting ${max.setting})`,
  )
  return {
    in: 'query' as const,
    name,
    description,
    read: (value: string) => {
      const number = wholeNumber(value)
      return number !== undefined && number >= 1 && number <= max.value ? number : refusal
    },
  }
}

export function limit(max: number, fallback: number): Parameter<number, true> {
  const reduced = Math.min(fallback, max)
  return {
    ...count('limit', 'The maximum number of entries in the answer.', {
      setting: 'limits.pageLimitMax',
      value: max,
    }),
    schema: { type: 'integer', minimum: 1, maximum: max, default: reduced },
    isPresent: true,
    fallback: reduced,
  }
}

export const last = (max: number): Parameter<number, false> => ({
  ...count('last', 'Read only the newest N messages. Without it, all messages are read.', {
    setting: 'limits.historyMessagesMax',
    value: max,
  }),
  schema: { type: 'integer', minimum: 1, maximum: max },
  isPresent: false,
})

export const lastTurns = (max: number): Parameter<number, false> => ({
  ...count(
    'lastTurns',
    'Read only the newest N turns, each whole. The place of a turn is that of its first message. Do not send it together with `last`.',
    { setting: 'limits.historyMessagesMax', value: max },
  ),
  schema: { type: 'integer', minimum: 1, maximum: max },
  isPresent: false,
})

const seq = (name: string, description: string): Parameter<number, false> => ({
  in: 'query',
  name,
  description,
  schema: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
  isPresent: false,
  read: (value) =>
    wholeNumber(value) ??
    refuse('field-invalid', `must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`),
})

export const after = seq('after', 'Read only messages with a `seq` above this number.')
export const before = seq('before', 'Read only messages with a `seq` below this number.')

/** A query parameter that is one of several words. */
const choice = <const Options extends readonly string[]>(
  name: string,
  description: string,
  options: Options,
) => ({
  in: 'query' as const,
  name,
  description,
  read: (value: string) =>
    options.find((option): option is Options[number] => option === value) ??
    refuse('field-invalid', `must be ${options.join(' or ')}`),
})

export const order: Parameter<'asc' | 'desc', true> = {
  ...choice('order', 'Sort by `seq`: `asc` upwards, `desc` downwards.', ['asc', 'desc']),
  schema: { type: 'string', enum: ['asc', 'desc'], default: 'asc' },
  isPresent: true,
  fallback: 'asc',
}

export const consistency: Parameter<'strong' | 'eventual', false> = {
  ...choice(
    'consistency',
    '`strong`: the answer contains every write that was acknowledged before the request. `eventual`: faster, but the newest writes may be missing. The default is `strong`, or `eventual` if `minCursor` is sent.',
    ['strong', 'eventual'],
  ),
  schema: { type: 'string', enum: ['strong', 'eventual'] },
  isPresent: false,
}

export const format: Parameter<HistoryFormat, true> = {
  ...choice(
    'format',
    'The shape of the messages: `turnlog` (all fields), `openai` (message parameters: `role` and `content`), or `langchain` (stored messages).',
    historyFormats,
  ),
  schema: { type: 'string', enum: historyFormats, default: 'turnlog' },
  isPresent: true,
  fallback: 'turnlog',
}

export const view: Parameter<View, false> = {
  ...choice(
    'view',
    '`said`: the whole text of each message. `heard`: interrupted AI messages end where the listener stopped hearing them (barge-in), and those of which nothing was heard are left out. The default is `said` in the format `turnlog`, otherwise `heard`.',
    views,
  ),
  schema: { type: 'string', enum: views },
  isPresent: false,
}

export const include: Parameter<'pending', false> = {
  ...choice(
    'include',
    '`pending`: include the seats, which are human messages whose words have not arrived yet.',
    ['pending'],
  ),
  schema: { type: 'string', enum: ['pending'] },
  isPresent: false,
}

export const voiceSessionId: Parameter<string, true> = {
  in: 'path',
  name: 'vid',
  description: 'The id of the voice session, percent-encoded.',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
  isPresent: true,
  read: (value) => {
    if (value.includes('\0') || !value.isWellFormed())
      return refuse('text-invalid', 'must not contain NUL or a lone surrogate')
    return value.length >= 1 && value.length <= 255
      ? value
      : refuse('field-invalid', 'must be 1 to 255 characters')
  },
}

/** A parameter in the address of the live socket. */
export const followedConversation: Parameter<string, false> = {
  in: 'query',
  name: 'conversation',
  description: 'Follow this conversation as soon as the socket opens.',
  schema: { type: 'string', format: 'uuid' },
  isPresent: false,
  read: (value) => (isUuid(value) ? canonicalId(value) : refuse('id-invalid', 'must be a UUID')),
}

/** How many of the newest messages a subscription in the address starts with. */
export const tail = (max: number): Parameter<number, false> => ({
  in: 'query',
  name: 'tail',
  description: 'Start with the newest N messages.',
  schema: { type: 'integer', minimum: 0, maximum: max },
  isPresent: false,
  read: (value) => {
    const number = wholeNumber(value)
    return number !== undefined && number <= max
      ? number
      : refuse('limit-invalid', `must be a whole number from 0 to ${max}`)
  },
})

export const idempotencyKey: Parameter<string, false> = {
  in: 'header',
  name: 'Idempotency-Key',
  description:
    'Your name for this turn: 1 to 255 visible ASCII characters. If you send the same key and body again, for example after a lost answer, the turn is recorded once. The same key with another body is refused with `idempotency-conflict`.',
  schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
  isPresent: false,
  read: (value) =>
    visibleAscii.test(value)
      ? value
      : refuse('idempotency-key-invalid', 'must be 1 to 255 visible ASCII characters'),
}

/** The idempotency key as a required parameter: an opened turn has no other name. */
export const turnKey: Parameter<string, true> = {
  ...idempotencyKey,
  description:
    'Your name for this turn: 1 to 255 visible ASCII characters. Open and complete the turn with the same key. If you send the same request again, it is stored once.',
  isPresent: true,
}

/** The value that stands for `If-Match: *`, which every version satisfies. */
export const anyVersion = -1

export const ifMatch: Parameter<number, false> = {
  in: 'header',
  name: 'If-Match',
  description:
    'Change the conversation only if it has this version: `42`, `"42"` (the `ETag`), or `*` for any version. Otherwise the answer is 412 `version-mismatch`.',
  schema: { type: 'string', pattern: '^(\\*|\\d{1,16}|"\\d{1,16}")$' },
  isPresent: false,
  read: (value) => {
    if (value === '*') return anyVersion
    const match = version.exec(value)
    const number = wholeNumber(match?.[1] ?? match?.[2] ?? '')
    return number ?? refuse('field-invalid', 'must be a version (42 or "42") or *')
  },
}

function wholeNumber(value: string): number | undefined {
  const number = Number(value)
  return /^\d{1,16}$/.test(value) && Number.isSafeInteger(number) ? number : undefined
}
