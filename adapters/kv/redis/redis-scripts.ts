/**
 * The Lua scripts of the store on Redis. A partition is one Redis key: a sorted set whose members
 * all have the score 0, so that they are in the order of their bytes:
 *
 *   name \0 value stamp(20) due(6) an entry: `name` is its key without the partition's two parts
 *   \255 run(40) last(13) due(12) latest(12) lasting(8) facts of the partition, hexadecimal
 *
 * - `run` names the server's run that wrote the partition. For any other run, the partition is
 *   absent.
 * - `last` is the time of the partition's last versionstamp, in microseconds.
 * - `due` of an entry is the time at which it expires, in milliseconds; 0 means never.
 * - `due` of the partition is the earliest `due` of its entries, and `latest` the latest one.
 * - `lasting` is the number of entries that never expire. The Redis key expires at `latest` if
 *   there are none.
 *
 * A partition is one key because Redis evicts whole keys, so that its entries disappear together.
 * It is a sorted set because a hash has no order: reading the head and the newest entries costs as
 * much with ten thousand entries as with ten. Strings are compared for equality only, because Lua's
 * `<` depends on the server's locale.
 */
import { createHash } from 'node:crypto'

export type Script = { readonly text: string; readonly sha: string }

const script = (text: string): Script => ({
  text: shared + text,
  sha: createHash('sha1')
    .update(shared + text)
    .digest('hex'),
})

const shared = `
local run = ARGV[1]
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local function facts(key)
  local member = redis.call('ZRANGE', key, 0, 0, 'REV')[1]
  return member, member and string.sub(member, 2, 41) == run
end
-- Whether no entry of the partition has expired, so that none need be checked.
local function is_fresh(member)
  local due = tonumber(string.sub(member, 55, 66), 16)
  return due == 0 or due > now
end
local function due_of(entry)
  return (struct.unpack('>I6', entry, #entry - 5))
end
local function is_alive(entry)
  local due = due_of(entry)
  return due == 0 or due > now
end
local function find(key, name)
  return redis.call('ZRANGEBYLEX', key, '[' .. name .. '\\0', '(' .. name .. '\\1', 'LIMIT', 0, 1)[1]
end
`

/**
 * KEYS: partitions. ARGV: run, a list of names for each partition. Returns the entries, '' for
 * none.
 */
export const readScript = script(`
local found = {}
for index, names in ipairs(cmsgpack.unpack(ARGV[2])) do
  local key = KEYS[index]
  local _, is_ours = facts(key)
  for _, name in ipairs(names) do
    local entry = is_ours and find(key, name)
    found[#found + 1] = entry and is_alive(entry) and entry or ''
  end
end
return cmsgpack.pack(found)
`)

/**
 * KEYS: a partition. ARGV: run, [from, until, 'r' or '', limit]. Returns '1' if more entries follow
 * and '' if none do, then the entries. It ends early at 4 MiB.
 */
export const scanScript = script(`
local key, found, size = KEYS[1], {''}, 0
local from, till, reverse, limit = unpack(cmsgpack.unpack(ARGV[2]))
local member, is_ours = facts(key)
if not is_ours then return cmsgpack.pack(found) end
local fresh = is_fresh(member)
limit = tonumber(limit)
from, till = '[' .. from, '(' .. till
while #found <= limit do
  local want = math.min(limit + 1 - #found, 128)
  local page
  if reverse == 'r' then
    page = redis.call('ZREVRANGEBYLEX', key, till, from, 'LIMIT', 0, want)
    if #page > 0 then till = '(' .. page[#page] end
  else
    page = redis.call('ZRANGEBYLEX', key, from, till, 'LIMIT', 0, want)
    if #page > 0 then from = '(' .. page[#page] end
  end
  local count = #page
  if fresh and #found == 1 then
    found = page
    table.insert(found, 1, '')
  else
    local at = #found
    for _, entry in ipairs(page) do
      if fresh or is_alive(entry) then
        at = at + 1
        found[at] = entry
      end
    end
  end
  if count < want then return cmsgpack.pack(found) end
  if #found > limit then break end
  for _, entry in ipairs(page) do size = size + #entry end
  if size > 4194304 then break end
end
found[1] = '1'
return cmsgpack.pack(found)
`)

/**
 * KEYS: a partition. ARGV: run, [[name, stamp or '', ...], [kind, name, argument, expireIn or '',
 * ...]], 7 random hexadecimal digits, 'PUBLISH' or 'SPUBLISH'. Returns the versionstamp, '' if a
 * check failed, or an error; each failure comes before the first write. It publishes the names that
 * it writes on the channel with the partition's name, or '' if they are more than 16.
 */
export const commitScript = script(`
local key, random = KEYS[1], ARGV[3]
local checks, changes = unpack(cmsgpack.unpack(ARGV[2]))
local member, is_ours = facts(key)
local last, due, latest, lasting = 0, 0, 0, 0
-- A partition without this member was left by a script that was stopped halfway, and counts as absent.
if member and string.byte(member) == 255 then
  last = tonumber(string.sub(member, 42, 54), 16)
  if is_ours then
    due = tonumber(string.sub(member, 55, 66), 16)
    latest = tonumber(string.sub(member, 67, 78), 16)
    lasting = tonumber(string.sub(member, 79, 86), 16)
  end
end

local entries = {}
local function current(name)
  if entries[name] == nil then entries[name] = is_ours and find(key, name) or false end
  return entries[name]
end
local function alive(name)
  local entry = current(name)
  return entry and is_alive(entry) and entry
end
for at = 1, #checks, 2 do
  local entry = alive(checks[at])
  if (entry and string.sub(entry, -26, -7) or '') ~= checks[at + 1] then return '' end
end

local function counted(kind, a, b)
  local ah, al = struct.unpack('>I4I4', a)
  local bh, bl = struct.unpack('>I4I4', b)
  if kind == 'sum' then
    local low = al + bl
    local carry = low >= 4294967296 and 1 or 0
    return struct.pack('>I4I4', (ah + bh + carry) % 4294967296, low % 4294967296)
  end
  local is_less = ah < bh or (ah == bh and al < bl)
  if is_less == (kind == 'min') then return a end
  return b
end
local after, order = {}, {}
for at = 1, #changes, 4 do
  local kind, name, argument, expires = unpack(changes, at, at + 3)
  local before = after[name]
  if before == nil then
    order[#order + 1] = name
    local entry = alive(name)
    before = entry and { string.sub(entry, #name + 2, -27) }
  end
  if kind == 'set' then
    after[name] = { argument, expires == '' and 0 or now + tonumber(expires) }
  elseif kind == 'delete' then
    after[name] = false
  elseif not before then
    after[name] = { 'u' .. argument, 0 }
  elseif string.sub(before[1], 1, 1) == 'u' then
    after[name] = { 'u' .. counted(kind, string.sub(before[1], 2), argument), 0 }
  else
    return redis.error_reply('NOTCOUNTER ' .. kind)
  end
end

local second = math.floor(last / 1000000)
micros = math.max(micros, last + 1)
local stamp = string.format('%013x', micros) .. random
if #order == 0 then return stamp end
-- Published before the changes are made, within the same moment. If the user has no right to publish,
-- the script ends here and changes nothing.
redis.call(ARGV[4], key, #order <= 16 and cmsgpack.pack(order) or '')
if member and is_ours then
  redis.call('ZREM', key, member)
elseif member then
  redis.call('UNLINK', key)
end
for _, name in ipairs(order) do
  local before, new = current(name), after[name]
  if before then
    redis.call('ZREM', key, before)
    if due_of(before) == 0 then lasting = lasting - 1 end
  end
  if new then
    redis.call('ZADD', key, 0, name .. '\\0' .. new[1] .. stamp .. struct.pack('>I6', new[2]))
    if new[2] == 0 then
      lasting = lasting + 1
    else
      latest = math.max(latest, new[2])
      if due == 0 or new[2] < due then due = new[2] end
    end
  end
end

-- Removes expired entries: all of them, if the partition has at most 128 entries. Of a larger partition
-- it checks 128 entries at a random position, once a second. Expired entries may then be left, so the
-- due of a larger partition stays in the past.
if due > 0 and due <= now then
  local count, first = redis.call('ZCARD', key), 0
  local is_small = count <= 128
  if is_small then due = 0 else first = tonumber(random, 16) % (count - 127) end
  if is_small or math.floor(micros / 1000000) > second then
    for _, entry in ipairs(redis.call('ZRANGE', key, first, first + 127)) do
      if not is_alive(entry) then
        redis.call('ZREM', key, entry)
      elseif is_small and due_of(entry) > 0 and (due == 0 or due_of(entry) < due) then
        due = due_of(entry)
      end
    end
  end
end
if redis.call('EXISTS', key) == 1 then
  redis.call('ZADD', key, 0, '\\255' .. run .. string.format('%013x%012x%012x%08x', micros, due, latest, lasting))
  if lasting > 0 then
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIREAT', key, latest)
  end
end
return stamp
`)
