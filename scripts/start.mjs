/**
 * `npm start`: installs what the service needs, and serves until a signal. npm must run it by
 * `exec node`: without `exec` a signal to npm ends the shell in between, and the service runs on.
 */
import { findBun, install, runTurnlog } from './bun.mjs'

const bun = findBun()
install(bun)
runTurnlog(bun, ['serve', ...process.argv.slice(2)])
