/** A message of which nothing more is said: for examples, and for tests that build messages. */
import { Message } from './schemas.ts'

type NullFields = {
  [Name in keyof Message as null extends Message[Name] ? Name : never]: null
}

/** The members of a message that may be null, each as null. */
export const nullFields = Object.fromEntries(
  Object.entries(Message.properties).flatMap(([name, schema]) =>
    'anyOf' in schema && schema.anyOf.some((one) => 'type' in one && one.type === 'null')
      ? [[name, null]]
      : [],
  ),
) as NullFields
