/**
 * `turnlog config --schema`: what editors check and complete `turnlog.toml` with. Editors of TOML
 * know JSON Schema as it was in draft 4; the keywords here mean the same in every draft since.
 */
import { type NamedSetting, settingList } from '../settings/setting-list.ts'
import { settings } from '../settings/settings.ts'

type JsonSchema = { readonly [keyword: string]: unknown }

/** JSON, laid out for the file that the project keeps of it. */
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
  // Younger than draft 4: `const`.
  const { const: only, ...rest } = schema as JsonSchema
  const advice = secret ? ' Better in .env or in the environment: it can hold a password.' : ''
  return {
    ...rest,
    ...(only === undefined ? {} : { enum: [only] }),
    description: `${help} Takes ${expected}. In the environment: ${env}.${advice}`,
    ...(value === undefined ? {} : { default: value }),
  }
}
