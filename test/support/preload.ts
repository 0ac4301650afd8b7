import { afterAll } from 'bun:test'
import { stopTestPostgres } from './servers/postgres.ts'
import { stopTestRedis } from './servers/redis.ts'

// In a preload, `afterAll` runs once, after all files.
afterAll(stopTestPostgres, 30_000)
afterAll(stopTestRedis, 30_000)
