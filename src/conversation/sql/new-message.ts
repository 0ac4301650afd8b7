/** A message before it is recorded, and the names of its fields in the record call. */
import {
  type MessageField,
  type MessageHalf,
  messageFields,
} from '../../../drizzle/message-fields.ts'
import { type MessageRow, messageColumns } from './rows.ts'

type MessageColumns = typeof messageColumns

type FieldName = {
  [Name in keyof MessageColumns]: MessageColumns[Name] extends keyof typeof messageFields
    ? Name
    : never
}[keyof MessageColumns]

/** The caller's values of a half's fields, or null. The fields of the other half are null. */
export type NewFields = Pick<MessageRow, FieldName>

export type NewMessage = Pick<MessageRow, 'id' | 'parts' | 'messageType' | 'createdAt'> & {
  readonly fields: NewFields
}

type Member = { readonly name: FieldName; readonly member: string }

const wireNames = Object.entries(messageColumns) as [keyof MessageColumns, string][]

function membersOf(half: MessageHalf): Member[] {
  const fields: Readonly<Record<string, MessageField>> = messageFields
  return wireNames.flatMap(([name, column]) => {
    const of = fields[column]?.of
    return isField(name, column) && (of === half || of === 'both')
      ? [{ name, member: `${half}_${column}` }]
      : []
  })
}

const isField = (name: keyof MessageColumns, column: string): name is FieldName =>
  messageColumns[name] === column && column in messageFields

const members = { human: membersOf('human'), assistant: membersOf('assistant') }

/**
 * Returns the fields of a half that are not null as members of a JSON object, each after a comma.
 * The database reads an absent member as null, and most fields are null.
 */
export function fieldsJson(half: MessageHalf, fields: NewFields): string {
  let json = ''
  for (const { name, member } of members[half]) {
    const value = fields[name]
    if (value !== null) json += `,"${member}":${JSON.stringify(value)}`
  }
  return json
}
