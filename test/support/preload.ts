import { afterAll } from 'bun:test'
import { stopTestPostgres } from './postgres.ts'

// In a preload, this runs once, after every file.
afterAll(stopTestPostgres, 30_000)
