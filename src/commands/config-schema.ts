/**
 * `turnlog config --schema` prints the JSON Schema with which editors check and complete
 * `turnlog.toml`. TOML editors know JSON Schema draft 4. The keywords here mean the same in every
 * later draft.
 */
import { type NamedSetting, settingList } from '../settings/setting-list.ts'
import { settings } from '../settings/settings.ts'

type JsonSchema = { readonly [keyword: string]: unknown }

/** Returns the schema as indented JSON, as docs/turnlog.schema.json holds it. */
export function configSchema(): string {
  const properties = Object.fromEntries(
    Object.keys(settings).map((section) => [
      section,
      closedObject(
        Object.fromEntries(
          settingList.filter((row) => row.section === section).map((row) => [row.key, member(row)]),
        ),
      ),
    ]),
  )
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'turnlog.toml',
    description: 'The settings of Turnlog.',
    ...closedObject(properties),
  }
  return `${JSON.stringify(schema, null, 2)}\n`
}

const closedObject = (properties: JsonSchema): JsonSchema => ({
  type: 'object',
  additionalProperties: false,
  properties,
})

function member({ schema, expected, default: value, help, env, secret }: NamedSetting): JsonSchema {
  // Draft 4 has no `const`, so it becomes an `enum` of one value.
  const { const: only, ...rest } = schema as JsonSchema
  const advice = secret ? ' It can contain a password: set it in .env or in the environment.' : ''
  return {
    ...rest,
    ...(only === undefined ? {} : { enum: [only] }),
    description: `${help} Value: ${expected}. Environment variable: ${env}.${advice}`,
    ...(value === undefined ? {} : { default: value }),
  }
}
