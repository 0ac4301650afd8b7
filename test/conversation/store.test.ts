import { speechConformance, storeConformance } from '../conformance/store/store.ts'
import { freshPglite, freshPostgres } from '../support/servers/databases.ts'

storeConformance('PGlite', freshPglite)
storeConformance('Postgres', freshPostgres)

speechConformance('PGlite', freshPglite)
speechConformance('Postgres', freshPostgres)
