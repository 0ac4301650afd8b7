/** The kinds of settings. Each function makes the row of one kind for the table of settings. */

import Type, { type TSchema } from 'typebox'

/** The value of a setting. */
export type Value = string | number | boolean | undefined

/** A row of the table of settings. `default: undefined` means that the setting may stay unset. */
export type Setting<Schema extends TSchema = TSchema, Default extends Value = Value> = {
  readonly schema: Schema
  /** The type, unit and range of the value. It completes the sentence "must be …". */
  readonly expected: string
  readonly default: Default
  /** One sentence or two, at most 100 characters. */
  readonly help: string
  /** The name in the environment, if it is not the one made from the path. */
  readonly env?: string
  /** A short flag besides `--<path>`. */
  readonly flag?: string
  /** Present if the value must not be shown. */
  readonly secret?: true
  /** The value that the example files show for a setting that is unset by default. */
  readonly example?: string
}

/**
 * Makes a setting whose value is a whole number. An empty `unit` means that the number has no unit.
 */
export const whole = (
  unit: string,
  [minimum, maximum]: [number, number],
  value: number,
  help: string,
) => ({
  schema: Type.Integer({ minimum, maximum }),
  expected: `a whole number${unit === '' ? '' : ` of ${unit}`} from ${minimum} to ${maximum}`,
  default: value,
  help,
})

/** Makes a setting whose value is true or false. */
export const onOff = (value: boolean, help: string) => ({
  schema: Type.Boolean(),
  expected: 'true or false',
  default: value,
  help,
})

/** Makes a setting whose value is one of some names. */
export const oneOf = <const Name extends string>(
  names: readonly Name[],
  value: Name,
  help: string,
) => ({
  schema: Type.Enum(names),
  expected: `one of ${names.join(', ')}`,
  default: value,
  help,
})

/** Makes the schema of a setting whose value is a text that matches `pattern`. */
export const text = (pattern: string, expected: string) => ({
  schema: Type.String({ pattern }),
  expected,
})

/** Makes a setting whose value is a URL that may contain a password and may stay unset. */
export const secretUrl = (
  beginnings: readonly string[],
  names: { env: string; example: string },
  help: string,
) => ({
  ...text(
    `^(${beginnings.join('|')})\\S+$`,
    `a URL that begins with ${beginnings.join(', ').replace(/, ([^,]+)$/, ' or $1')}`,
  ),
  default: undefined,
  help,
  secret: true as const,
  ...names,
})

/**
 * Makes the schema of a list of items with commas between them. It may be empty, and `*` stands for
 * any item.
 */
export const list = (item: string, expected: string) =>
  text(`^((\\*|${item})( *, *(\\*|${item}))*)?$`, `${expected} with commas between them, or *`)
