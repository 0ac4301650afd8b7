/**
 * Conformance suites of the store and the reader. They run against every database adapter.
 * `openDatabase` returns a fresh database at each call.
 */
import { describe } from 'bun:test'
import type { Database } from '../../../src/ports/database.ts'
import { attachesAudio } from './audio.ts'
import { readsChanges } from './changes.ts'
import { createsConversations } from './creation.ts'
import { joinsEarlyAudio } from './early-audio.ts'
import { erasesConversations } from './erasure.ts'
import { keepsIdempotencyKeys } from './idempotency.ts'
import { keepsInterruptions } from './interruptions.ts'
import { patchesConversations } from './patches.ts'
import { readsConversations } from './reads.ts'
import { recordsTurns } from './recording.ts'
import { keepsSeats } from './seats.ts'
import { keepsSegments } from './segments.ts'
import { openSpeechSubject } from './speech-subject.ts'
import { openSubject } from './subject.ts'
import { keepsVoiceSessions } from './voice-sessions.ts'

export function storeConformance(name: string, openDatabase: () => Promise<Database>): void {
  describe(`${name}: the store`, () => {
    const subject = openSubject(openDatabase)
    createsConversations(subject)
    recordsTurns(subject)
    keepsIdempotencyKeys(subject)
    keepsSegments(subject)
    attachesAudio(subject)
    patchesConversations(subject)
    erasesConversations(subject)
    readsConversations(subject)
    readsChanges(subject)
  })
}

export function speechConformance(name: string, openDatabase: () => Promise<Database>): void {
  describe(`${name}: the store of speech`, () => {
    const subject = openSpeechSubject(openDatabase)
    keepsSeats(subject)
    keepsInterruptions(subject)
    joinsEarlyAudio(subject)
    keepsVoiceSessions(subject)
  })
}
