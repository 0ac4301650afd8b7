/** How long the event loop of this process is held while something runs. */

const tickMs = 2

/**
 * Runs `work`, and answers the longest time in milliseconds between two looks of a timer. Other
 * processes may take this one's processor away, which is no hold of ours: a stretch counts with the
 * CPU time that this thread used in it, where that is less.
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
    // What is still to come out of the last turn of the loop.
    await new Promise((resolve) => setTimeout(resolve, 2 * tickMs))
  } finally {
    clearInterval(timer)
  }
  look()
  return longest
}
