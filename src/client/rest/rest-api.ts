/** The REST API as functions, under the names that the OpenAPI document gives its operations. */
import type { AudioApi } from './audio-api.ts'
import type { CallOptions } from './call.ts'
import type { ConversationApi } from './conversation-api.ts'
import type { TurnApi } from './turn-api.ts'
import type { VoiceSessionApi } from './voice-session-api.ts'

export type Health = { readonly status: 'ok' }

export type Readiness = {
  /** `draining`: the node is about to stop. `degraded`: a dependency fails that the node can work without. */
  readonly status: 'ready' | 'degraded' | 'unavailable' | 'draining'
  readonly dependencies: Readonly<
    Record<string, { readonly name: string; readonly status: string }>
  >
}

export type ServiceApi = {
  /**
   * Asks whether the process runs.
   *
   * @param options The limits of this call.
   * @returns `{ status: 'ok' }`.
   * @example
   * const { status } = await client.getHealth()
   */
  getHealth(options?: CallOptions): Promise<Health>
  /**
   * Asks whether the service can work. It resolves for a service that is not ready, too: look at `status`.
   *
   * @param options The limits of this call.
   * @returns The status of the service and of each dependency.
   * @example
   * const { status, dependencies } = await client.getReadiness()
   */
  getReadiness(options?: CallOptions): Promise<Readiness>
}

/**
 * Each call rejects with a `Problem`, or with the signal's reason if the caller aborts it. It retries reads, and writes
 * that are the same the second time, until the deadline.
 *
 * The client reads the arguments once, during the call. A member that is `undefined` is absent, and an object with
 * `toJSON` (a Date, a URL) is printed by it. These values are refused with `input-not-json`, because JSON would leave
 * them out or change them:
 *
 * - a BigInt, NaN, Infinity, an invalid Date, a function or a symbol;
 * - `undefined` or a hole in a list;
 * - a Map, a Set, a typed array, an Error, a promise;
 * - a cycle, more than 600 levels, a getter or `toJSON` that throws.
 *
 * @throws `input-not-json` An argument cannot be printed as JSON. Nothing was sent.
 * @throws `id-invalid` An id is not a UUID, or cannot be part of an address.
 * @throws `conversation-not-found`, `conversation-erased` The conversation does not exist, or was erased.
 * @throws `segment-not-found` The segment that the call names does not exist.
 * @throws `service-unreachable` A read got no answer in time, or a write was certainly not sent.
 * @throws `outcome-unknown` A write was sent and got no answer. If it is retryable, make the same call again.
 * @throws `answer-unusable` The answer is not one of Turnlog's: a proxy may have sent it.
 * @throws `conversation-busy`, `overloaded`, `draining` The service is busy or about to stop. The client retries.
 * @throws `database-unavailable`, `database-slow`, `database-full`, `database-read-only`, `database-refused` The
 *   service's database fails. The client retries.
 * @throws `internal` The service has a fault. Its log names the `requestId`. The client tries 5 times.
 * @throws `request-invalid`, `field-invalid`, `field-missing`, `field-unknown`, `text-invalid`, `number-inexact` A part
 *   of the request breaks a rule: `violations` name the locations.
 * @throws `body-not-json`, `body-too-large`, `json-too-large`, `media-type-unsupported` The service refuses the body.
 * @throws `host-invalid`, `host-refused`, `origin-refused` The service does not serve this host name or this web page.
 */
export type Rest = ConversationApi & TurnApi & AudioApi & VoiceSessionApi & ServiceApi
