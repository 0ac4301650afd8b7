/** The nullable fields of a message, for examples and for tests that build messages. */
import { Message } from './schemas.ts'

type NullFields = {
  [Name in keyof Message as null extends Message[Name] ? Name : never]: null
}

/** Every field of a message that may be null, with the value null. */
export const nullFields = Object.fromEntries(
  Object.entries(Message.properties).flatMap(([name, schema]) =>
    'anyOf' in schema && schema.anyOf.some((one) => 'type' in one && one.type === 'null')
      ? [[name, null]]
      : [],
  ),
) as NullFields
