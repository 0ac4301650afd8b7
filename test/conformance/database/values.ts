/** Claims about values on their way to and from the database, for every adapter. */
import { expect } from 'bun:test'
import fc from 'fast-check'
import type { Ask, Claim } from './database.ts'

export function databaseValues(claim: Claim, ask: Ask): void {
  claim('the values of rows have the JavaScript types that the port names', async () => {
    const [row] = await ask(
      `select 9007199254740991::int8 as int8, -5::int4 as int4, true as yes, false as no, null as nothing,
        'x'::text as text, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid as uuid,
        '2026-11-23T11:30:00.123456+02'::timestamptz as micros, '2026-11-23T09:30:00.100Z'::timestamptz as tenths,
        '{"a": [1, null, "x"]}'::jsonb as jsonb, 'null'::jsonb as json_null,
        array['a', null, 'NULL', '']::text[] as texts, '{}'::text[] as none, '[2:3]={a,b}'::text[] as shifted,
        array[1, null]::int8[] as counts, array['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']::uuid[] as uuids`,
    )
    expect(row).toEqual({
      int8: 9007199254740991,
      int4: -5,
      yes: true,
      no: false,
      nothing: null,
      text: 'x',
      uuid: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
      micros: '2026-11-23 09:30:00.123456+00',
      tenths: '2026-11-23 09:30:00.1+00',
      jsonb: { a: [1, null, 'x'] },
      json_null: null,
      texts: ['a', null, 'NULL', ''],
      none: [],
      shifted: ['a', 'b'],
      counts: [1, null],
      uuids: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    })
  })

  claim('parameters arrive at Postgres as they were sent', async () => {
    const [row] = await ask(
      `select $1::int8 as int8, $2::bool as bool, $3::timestamptz as time, $4::text is null as missing,
        $5::jsonb -> 'a' as json, $6::float8 as float, $7::text as text, $8::uuid[] as uuids`,
      9007199254740991,
      false,
      '2026-11-23T09:30:00.123456Z',
      null,
      '{"a": "b"}',
      -1.5e-7,
      '{"a": 1}',
      ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', null],
    )
    expect(row).toEqual({
      int8: 9007199254740991,
      bool: false,
      time: '2026-11-23 09:30:00.123456+00',
      missing: true,
      json: 'b',
      float: -1.5e-7,
      text: '{"a": 1}',
      uuids: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', null],
    })
  })

  const anyText = fc.oneof(
    fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '')),
    fc
      .array(fc.constantFrom(...Array.from('\\"\',{}[]= \n\tNULl😀')))
      .map((parts) => parts.join('')),
    fc.constantFrom('NULL', 'null', '', ' ', '"', '\\', '{}', '{"a",NULL}', '\\N', 'é', '\u2028'),
  )

  claim('every text is stored and read unchanged, alone and in an array with nulls', async () => {
    const anyTexts = fc.array(fc.oneof(anyText, fc.constant(null)))
    const property = fc.asyncProperty(anyText, anyTexts, async (text, texts) => {
      const [row] = await ask(
        // The server reads the array item by item, so that two mistakes cannot cancel each other
        // out.
        `select $1::text as text, $2::text[] as texts, coalesce(
           (select jsonb_agg(item order by place) from unnest($2::text[]) with ordinality as each (item, place)),
           '[]') as items`,
        text,
        texts,
      )
      expect(row).toEqual({ text, texts, items: texts })
    })
    await fc.assert(property, { numRuns: 200 })
  })

  claim('every JSON value is stored and read unchanged', async () => {
    const anyJson = fc
      .jsonValue({ stringUnit: 'binary' })
      .filter((value) => !JSON.stringify(value).includes('\\u0000'))
    const property = fc.asyncProperty(anyJson, async (value) => {
      const text = JSON.stringify(value)
      const [row] = await ask<{ value: unknown }>('select $1::jsonb as value', text)
      expect(Bun.deepEquals(row?.value, JSON.parse(text))).toBe(true)
    })
    await fc.assert(property, { numRuns: 200 })
  })

  claim('parameters and values of megabytes arrive in both directions', async () => {
    const text = 'é"\\'.repeat(700_000)
    const [row] = await ask<{ text: string; texts: string[]; json: unknown }>(
      'select $1::text as text, $2::text[] as texts, $3::jsonb as json',
      text,
      [text],
      JSON.stringify([text]),
    )
    expect(row?.text === text).toBe(true)
    expect(row?.texts[0] === text).toBe(true)
    expect(Bun.deepEquals(row?.json, [text])).toBe(true)
  })
}
