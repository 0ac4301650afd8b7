import { storeConformance } from './conformance/store.ts'
import { freshPglite, freshPostgres } from './support/databases.ts'

storeConformance('PGlite', freshPglite)
storeConformance('Postgres', freshPostgres)
