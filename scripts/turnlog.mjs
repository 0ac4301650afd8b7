/** `npm run turnlog -- <command> …`: the command line, with nothing installed but Node and npm. */
import { findBun, install, runTurnlog } from './bun.mjs'

const bun = findBun()
install(bun, { onlyIfMissing: true })
runTurnlog(bun, process.argv.slice(2))
