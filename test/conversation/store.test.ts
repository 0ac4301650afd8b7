import { storeConformance } from '../conformance/store.ts'
import { voiceConformance } from '../conformance/voice.ts'
import { freshPglite, freshPostgres } from '../support/servers/databases.ts'

storeConformance('PGlite', freshPglite)
storeConformance('Postgres', freshPostgres)

voiceConformance('PGlite', freshPglite)
voiceConformance('Postgres', freshPostgres)
