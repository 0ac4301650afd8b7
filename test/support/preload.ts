import { afterAll } from 'bun:test'
import { stopTestPostgres } from './postgres.ts'
import { stopTestRedis } from './redis.ts'

// In a preload, this runs once, after every file.
afterAll(stopTestPostgres, 30_000)
afterAll(stopTestRedis, 30_000)
