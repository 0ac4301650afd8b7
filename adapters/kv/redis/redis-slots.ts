/** The slots of a Redis Cluster. */
import { Buffer } from 'node:buffer'

const slots = 16_384

/** The slot of a key, from 0 to 16383: the CRC16 (XMODEM) of its hash tag, or of the whole key. */
export function slotOf(key: string): number {
  const open = key.indexOf('{')
  const close = open < 0 ? -1 : key.indexOf('}', open + 1)
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key
  let crc = 0
  for (const byte of Buffer.from(hashed)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
  }
  return (crc & 0xffff) % slots
}
