/** The forms a setting takes: one function for each, which makes a row of the table. */

import Type, { type TSchema } from 'typebox'

/** What a setting can be. */
export type Value = string | number | boolean | undefined

/** One row of the table. `default: undefined` means that the setting may stay unset. */
export type Setting<Schema extends TSchema = TSchema, Default extends Value = Value> = {
  readonly schema: Schema
  /** Completes the sentence "must be ...": type, unit and range. */
  readonly expected: string
  readonly default: Default
  /** One line. */
  readonly help: string
  /** The name in the environment, where it is not the one made from the path. */
  readonly env?: string
  /** A short flag beside `--<path>`. */
  readonly flag?: string
  /** A value that must not be shown. */
  readonly secret?: true
  /** What the example files show for a setting that is unset by default. */
  readonly example?: string
}

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

export const onOff = (value: boolean, help: string) => ({
  schema: Type.Boolean(),
  expected: 'true or false',
  default: value,
  help,
})

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

export const text = (pattern: string, expected: string) => ({
  schema: Type.String({ pattern }),
  expected,
})

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

/** Items with commas between them, none at all, or `*` for any. */
export const list = (item: string, expected: string) =>
  text(`^((\\*|${item})( *, *(\\*|${item}))*)?$`, `${expected} with commas between them, or *`)

// No path and no wildcard: neither would ever equal what a browser sends.
