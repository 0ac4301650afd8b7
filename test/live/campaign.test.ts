/**
 * Live delivery under faults, on real processes: three nodes on one Postgres, with one Redis or
 * none, and a proxy on every link. A seed repeats the order of the faults, not their moments.
 */
import { describe, expect, test } from 'bun:test'
import { campaign } from '../support/live/campaign.ts'
import { summary } from '../support/live/live-judge.ts'

/** The length of the faults in seconds. 0 is the short run, `FAULT_SECONDS=60` the long one. */
const seconds = Number(process.env['FAULT_SECONDS'] ?? 0)
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e6))

async function run(redis: boolean): Promise<void> {
  const isLong = seconds > 0
  const faultsMs = (isLong ? seconds : 3) * 1000
  // The long run has the default settings of a service. The short run polls faster, so that it ends
  // earlier.
  const size = isLong
    ? { postgres: true, faultsAtOnce: 3, pace: 1 }
    : { postgres: false, faultsAtOnce: 2, pace: 0.4, args: ['--live.pollMs=1000'] }
  const report = await campaign({ seed, faultsMs, redis, ...size })
  console.log(`${report.text}\n${summary(report.violations)}`.trimEnd())
  expect(report.violations.slice(0, 20)).toEqual([])
  // A run without turns, reconnects and faults proves nothing.
  expect(report.acknowledged).toBeGreaterThan(faultsMs / 100)
  expect(report.reconnects).toBeGreaterThan(Math.max(10, faultsMs / 1000))
  const done = [...report.faults].filter(([, count]) => count > 0)
  expect(done.length).toBeGreaterThan(seconds >= 60 ? report.faults.size - 1 : 1)
}

const timeoutMs = (seconds + 60) * 1000

describe('live delivery under faults', () => {
  test(
    'every subscriber gets every change once and in order, with Redis',
    () => run(true),
    timeoutMs,
  )

  // The short run without Redis is in mistakes.test.ts, whose nodes start faster.
  if (seconds > 0)
    test(
      'every subscriber gets every change once and in order, without Redis',
      () => run(false),
      timeoutMs,
    )
})
