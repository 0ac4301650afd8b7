/** The OpenAPI 3.1 document: what all operations have in common, and the description of one operation. */
import { openapi } from '@elysiajs/openapi'
import type { DocumentDecoration } from 'elysia'
import packageJson from '../../../package.json' with { type: 'json' }
import { Problem, type ProblemCode, problemCodes, problems } from '../../problem.ts'
import { type ComponentName, componentSchemas, reference } from './component-schemas.ts'
import { exampleIds } from './examples.ts'
import type { Parameter, Parameters } from './parameters.ts'
import { commonProblems } from './problem-lists.ts'

export const openapiPath = '/swagger/json'

const tags = {
  Conversations: 'Threads that turns are recorded in.',
  Turns: 'Recording what was said, and attaching the audio it was spoken with.',
  Messages: 'Reading what was said: by page, as history for an LLM, and as changes since a cursor.',
  Voice: 'Speech: seats whose words come later, what was heard of an answer, and voice sessions.',
  Segments: 'Spans of a conversation that turns belong to and complete.',
  Operations: 'Whether the service is alive and ready.',
} as const

type Answer = {
  readonly description: string
  readonly schema?: ComponentName
  readonly example?: unknown
  /** In place of the one example, by a short name of the case. */
  readonly examples?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string>>
}

export type Operation = {
  readonly id: string
  readonly tag: keyof typeof tags
  readonly summary: string
  readonly description?: string
  readonly parameters?: Parameters
  readonly body?: {
    readonly schema: ComponentName
    readonly required: boolean
    readonly mediaTypes: readonly string[]
    /** By a short name of the case. */
    readonly examples: Readonly<Record<string, unknown>>
  }
  readonly answers: Readonly<Record<number, Answer>>
  readonly problems: readonly ProblemCode[]
}

/** A route's `detail`, which the OpenAPI plugin puts into the document as it is. */
export function operation(described: Operation): DocumentDecoration {
  const { id, tag, summary, description, parameters, body, answers } = described
  const codes =
    tag === 'Operations'
      ? (['host-invalid', ...described.problems] as const)
      : [...new Set([...described.problems, ...commonProblems])]
  const detail = {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    parameters: [...Object.values(parameters ?? {}).map(parameterOf), requestIdParameter],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: body.required,
            content: Object.fromEntries(
              body.mediaTypes.map((mediaType) => [
                mediaType,
                { schema: reference(body.schema), examples: examplesOf(body.examples) },
              ]),
            ),
          },
        }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, answer]) => [status, responseOf(answer)]),
      ),
      ...problemResponses(codes),
    },
  }
  // The plugin types details as OpenAPI 3.0; what it prints is 3.1.
  return detail as DocumentDecoration
}

const requestIdParameter = {
  in: 'header',
  name: 'Turnlog-Request-Id',
  description: 'Names the request in answers and in the log: 1 to 128 visible ASCII characters.',
  required: false,
  schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,128}$' },
}

const requestIdHeader = {
  description: 'The id of the request: the one sent, or a new one.',
  schema: { type: 'string' },
}

const pathExamples: Readonly<Record<string, string>> = {
  id: exampleIds.conversationId,
  mid: exampleIds.assistantMessageId,
  sid: exampleIds.segmentId,
  vid: exampleIds.voiceSessionId,
}

function parameterOf(parameter: Parameter<string | number>) {
  const { in: where, name, description, schema, isPresent, fallback } = parameter
  const example = pathExamples[name]
  return {
    in: where,
    name,
    description,
    required: isPresent && fallback === undefined,
    schema,
    // Swagger UI sends the examples it finds: of what is optional there are none.
    ...(where === 'path' ? { example } : {}),
  }
}

const examplesOf = (values: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }]))

const responseOf = ({ description, schema, example, examples, headers = {} }: Answer) => ({
  description,
  headers: {
    'Turnlog-Request-Id': requestIdHeader,
    ...Object.fromEntries(
      Object.entries(headers).map(([name, text]) => [
        name,
        { description: text, schema: { type: 'string' } },
      ]),
    ),
  },
  ...(schema === undefined
    ? {}
    : {
        content: {
          'application/json': {
            schema: reference(schema),
            ...(examples === undefined ? { example } : { examples: examplesOf(examples) }),
          },
        },
      }),
})

/** One response per status, with an example per code. */
function problemResponses(codes: readonly ProblemCode[]) {
  const byStatus = Map.groupBy(codes, (code) => problems[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, codesOfStatus]) => [status, problemResponse(codesOfStatus)]),
  )
}

function problemResponse(codes: readonly ProblemCode[]) {
  const retryAfter = codes.some((code) => new Problem(code).retryAfterSeconds !== undefined)
  return {
    description: codes.map((code) => `\`${code}\`: ${problems[code].title}.`).join('\n\n'),
    headers: {
      'Turnlog-Request-Id': requestIdHeader,
      ...(retryAfter
        ? { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' } } }
        : {}),
    },
    content: {
      'application/problem+json': {
        schema: reference('Problem'),
        examples: Object.fromEntries(
          codes.map((code) => [code, { $ref: `#/components/examples/${code}` }]),
        ),
      },
    },
  }
}

const problemExamples = Object.fromEntries(
  problemCodes.map((code) => {
    const { title, help } = problems[code]
    const value = new Problem(code, help).body(exampleIds.conversationId)
    return [code, { summary: title, value }]
  }),
)

/** The plugin that prints the document; the page that shows it is ours (`swagger.ts`). */
export const openapiPlugin = () =>
  openapi({
    provider: null,
    specPath: openapiPath,
    openapiVersion: '3.1.2',
    exclude: { methods: ['options', 'ws'] },
    documentation: {
      info: {
        title: 'Turnlog',
        version: packageJson.version,
        description: [
          'The durable turn log for voice and chat agents: record each human+AI turn, read it back',
          'as history for an LLM, follow its changes from a cursor.',
          '',
          'Every answer that is not 2xx is a problem (RFC 9457); [/problems](/problems) explains',
          'each code.',
        ].join('\n'),
      },
      tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
      components: {
        schemas: componentSchemas as Record<string, object>,
        examples: problemExamples,
      },
    },
  })
