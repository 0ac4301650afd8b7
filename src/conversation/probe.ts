/** Readiness of the database. */
import type { Database } from '../ports/database.ts'

/** How long readiness waits for the database: a probe has a deadline of its own. */
const probeDeadlineMs = 1000

/** Whether the database is up: it answers in time, and takes writes. */
export async function takesWrites(database: Database): Promise<boolean> {
  try {
    // A standby answers and takes no write: for a log of turns that is not up.
    const text = `SELECT current_setting('transaction_read_only') = 'off' AS writable`
    const [row] = await database.query<{ writable: boolean }>(
      { text, params: [] },
      { deadlineMs: probeDeadlineMs },
    )
    return row?.writable === true
  } catch {
    return false
  }
}
