/** Measures how long the event loop of this process is held. */

const tickMs = 2

/**
 * Runs `work`, and returns the longest time in milliseconds between two ticks of a timer. If other
 * processes take this one's processor away, the loop is not held: an interval counts with the CPU
 * time of this thread if that is less.
 */
export async function longestHold(work: () => Promise<unknown>): Promise<number> {
  let longest = 0
  let at = performance.now()
  let cpu = process.threadCpuUsage()
  const look = () => {
    const now = performance.now()
    const used = process.threadCpuUsage(cpu)
    longest = Math.max(longest, Math.min(now - at, (used.user + used.system) / 1000))
    at = now
    cpu = process.threadCpuUsage()
  }
  const timer = setInterval(look, tickMs)
  try {
    await work()
    // Time for work that the last turn of the loop still causes.
    await new Promise((resolve) => setTimeout(resolve, 2 * tickMs))
  } finally {
    clearInterval(timer)
  }
  look()
  return longest
}
