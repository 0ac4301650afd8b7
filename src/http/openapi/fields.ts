/** The parameters the routes take. */

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

export const conversationId = pathId('id', "The conversation's id.")
export const messageId = pathId('mid', "The AI message's id.")
export const segmentId = pathId('sid', "The segment's id.")

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

export const externalId = text('externalId', 'Only the conversation with this external id.')
export const page = text('page', '`nextPage` of the answer before, as it came.')
export const since = text(
  'since',
  'The cursor up to which you know the conversation; absent: from its beginning.',
)
export const minCursor = text(
  'minCursor',
  'Answer from a state at least as new as this cursor. Without `consistency` it is `eventual` with that floor.',
)

/** A count of rows within a range whose upper bound is a setting. */
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
    ...count('limit', 'How many at most.', { setting: 'limits.pageLimitMax', value: max }),
    schema: { type: 'integer', minimum: 1, maximum: max, default: reduced },
    isPresent: true,
    fallback: reduced,
  }
}

export const last = (max: number): Parameter<number, false> => ({
  ...count('last', 'Only the newest of this many messages; absent: all of them.', {
    setting: 'limits.historyMessagesMax',
    value: max,
  }),
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

export const after = seq('after', 'Only messages with a higher `seq`.')
export const before = seq('before', 'Only messages with a lower `seq`.')

/** Absent where `fallback` is undefined. */
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
  ...choice('order', 'By `seq`, upwards or downwards.', ['asc', 'desc']),
  schema: { type: 'string', enum: ['asc', 'desc'], default: 'asc' },
  isPresent: true,
  fallback: 'asc',
}

export const consistency: Parameter<'strong' | 'eventual', false> = {
  ...choice(
    'consistency',
    '`strong`: everything committed before the request. `eventual`: perhaps a little less, and faster. Without it: `strong`, or `eventual` where `minCursor` is given.',
    ['strong', 'eventual'],
  ),
  schema: { type: 'string', enum: ['strong', 'eventual'] },
  isPresent: false,
}

export const format: Parameter<HistoryFormat, true> = {
  ...choice(
    'format',
    'The shape of the messages: `turnlog`, message parameters for `openai`, or stored messages for `langchain`.',
    historyFormats,
  ),
  schema: { type: 'string', enum: historyFormats, default: 'turnlog' },
  isPresent: true,
  fallback: 'turnlog',
}

export const view: Parameter<View, false> = {
  ...choice(
    'view',
    '`said`: what was said. `heard`: what the listener heard of it; what nobody heard is left out. Without it: `said` in the format `turnlog`, else `heard`.',
    views,
  ),
  schema: { type: 'string', enum: views },
  isPresent: false,
}

export const include: Parameter<'pending', false> = {
  ...choice('include', '`pending`: with the seats of turns whose words have not come yet.', [
    'pending',
  ]),
  schema: { type: 'string', enum: ['pending'] },
  isPresent: false,
}

export const voiceSessionId: Parameter<string, true> = {
  in: 'path',
  name: 'vid',
  description: "The voice session's id, percent-encoded.",
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

/** A parameter of the socket's address. */
export const followedConversation: Parameter<string, false> = {
  in: 'query',
  name: 'conversation',
  description: 'Follow this conversation at once.',
  schema: { type: 'string', format: 'uuid' },
  isPresent: false,
  read: (value) => (isUuid(value) ? canonicalId(value) : refuse('id-invalid', 'must be a UUID')),
}

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
    "Names this turn for the conversation's life, so that sending it again records it once: 1 to 255 visible ASCII characters.",
  schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
  isPresent: false,
  read: (value) =>
    visibleAscii.test(value)
      ? value
      : refuse('idempotency-key-invalid', 'must be 1 to 255 visible ASCII characters'),
}

/** The key where it is the turn's only name. */
export const turnKey: Parameter<string, true> = { ...idempotencyKey, isPresent: true }

/** The value of `If-Match: *`, which any version satisfies. */
export const anyVersion = -1

export const ifMatch: Parameter<number, false> = {
  in: 'header',
  name: 'If-Match',
  description:
    'Change the conversation only if this is its version: `42`, `"42"` (the `ETag`), or `*` for any.',
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
