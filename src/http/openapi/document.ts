/**
 * The OpenAPI 3.1 document: the parts that all operations share, and the description of one
 * operation.
 */
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
  Conversations: 'Create, list, change and erase conversations (threads, sessions).',
  Turns:
    'Record turns (a human message and its AI answer), and attach the audio (TTS) of the answers.',
  Messages:
    'Read messages: page by page, as the history for an LLM, or as the changes since a cursor.',
  Voice:
    'Speech: turns whose transcript (STT) arrives later, interruptions (barge-in), and voice sessions.',
  Segments: 'Spans of a conversation that turns belong to and complete.',
  Operations: 'Health checks: whether the process is alive and the service is ready.',
} as const

type Answer = {
  readonly description: string
  readonly schema?: ComponentName
  readonly example?: unknown
  /** Several examples instead of one, each under a short name. */
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
    /** Each under a short name. */
    readonly examples: Readonly<Record<string, unknown>>
  }
  readonly answers: Readonly<Record<number, Answer>>
  readonly problems: readonly ProblemCode[]
}

/** The `detail` of a route. The OpenAPI plugin copies it into the document. */
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
  // The plugin types details as OpenAPI 3.0, but it prints OpenAPI 3.1.
  return detail as DocumentDecoration
}

const requestIdParameter = {
  in: 'header',
  name: 'Turnlog-Request-Id',
  description:
    "Your id for this request: 1 to 128 visible ASCII characters. The answer and the service's log contain it.",
  required: false,
  schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,128}$' },
}

const requestIdHeader = {
  description: 'The id of the request: the one that you sent, or a new one.',
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
    // Only path parameters have an example: Swagger UI sends the examples of optional parameters,
    // too.
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

/** The responses for problems: one per status, with an example per code. */
function problemResponses(codes: readonly ProblemCode[]) {
  const byStatus = Map.groupBy(codes, (code) => problems[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, codesOfStatus]) => [status, problemResponse(codesOfStatus)]),
  )
}

/** A code with its title and the first sentence of its help: what the caller does now. */
function explain(code: ProblemCode): string {
  const { title, help } = problems[code]
  const action = help.slice(0, help.indexOf('. ') + 1) || help
  return `\`${code}\`: ${title}. ${action}`
}

function problemResponse(codes: readonly ProblemCode[]) {
  const retryAfter = codes.some((code) => new Problem(code).retryAfterSeconds !== undefined)
  return {
    description: codes.map(explain).join('\n\n'),
    headers: {
      'Turnlog-Request-Id': requestIdHeader,
      ...(retryAfter
        ? {
            'Retry-After': {
              description: 'Seconds to wait before you send the request again.',
              schema: { type: 'integer' },
            },
          }
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

/** The plugin that prints the document. `swagger.ts` makes the page that shows it. */
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
          'The durable turn log for voice and chat agents. Record each turn (a human message and its',
          'AI answer), read the history for an LLM, and follow the changes from a cursor.',
          '',
          'Every answer whose status is not 2xx is a problem (RFC 9457) with a stable `code`;',
          '[/problems](/problems) says for each code what to do. Send writes with an `Idempotency-Key`',
          'where the operation has one: a retry with the same key is then recorded once.',
        ].join('\n'),
      },
      tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
      components: {
        schemas: componentSchemas as Record<string, object>,
        examples: problemExamples,
      },
    },
  })
