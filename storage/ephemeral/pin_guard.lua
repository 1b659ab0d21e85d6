-- Reserves PIN attempts before their hash is computed and settles them after it, all scopes of an attempt in one step.
--
-- Keys, all under <base> = `{company}:pin:<tier>`; times in milliseconds:
--   <base>:open               attempts in flight: `<id>|<number>|<device>|<source>` by the time of reservation
--   <base>:number:<number>    consecutive (wrong in a row), flying (in flight), ladder (locks since the last reset),
--                             until (of the consecutive lock), wiped (when last unlocked), seq (of that unlock)
--   <base>:device:<device>    until (of the pause), wiped, seq; the same for <base>:company
--   <base>:source:<source>    last (reservation)
--   each of these + `:wrong`  the rolling window: attempt id by the time it became wrong
-- An attempt open for too long turns wrong, dated at the end of its time. That happens before anything else in every call
-- about its company and tier, so all wrong tries are applied in order of time, whoever calls when.

-- Seconds until Redis may drop what nobody touches: more than any window, lock and ladder together. Open attempts live
-- longest, because a number's count of them must never outlive the attempts themselves.
local KEPT, OPEN_KEPT = 7 * 86400, 8 * 86400

local base, operation, now = ARGV[1], ARGV[2], tonumber(ARGV[3])
local open = base .. ':open'
local locks = {}

local function field(key, name)
  return tonumber(redis.call('HGET', key, name) or 0)
end

local function begin(scope, subject, reason, since, ending)
  for _, value in ipairs({scope, subject, reason, since, ending}) do
    locks[#locks + 1] = value
  end
end

-- unlock <seq> <scope> <subject>: wipes a subject's counts unless this unlock, or a later one, was applied already
if operation == 'unlock' then
  local seq, scope, subject = tonumber(ARGV[4]), ARGV[5], ARGV[6]
  local key = base .. ':' .. scope
  if scope ~= 'company' then
    key = key .. ':' .. subject
  end
  if seq <= field(key, 'seq') then
    return 0
  end
  redis.call('DEL', key .. ':wrong')
  redis.call('HDEL', key, 'consecutive', 'ladder', 'until', 'last')
  redis.call('HSET', key, 'seq', seq, 'wiped', now)
  redis.call('EXPIRE', key, KEPT)
  return 1
end

-- <operation> <id> <number> <device> <source>, then the limits of this tier; a limit of 0 means the scope does not count
local id, number, device, source = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local member = id .. '|' .. number .. '|' .. device .. '|' .. source
local limit = {}
for i, name in ipairs({
  'flight', 'consecutive', 'lock', 'lock_cap', 'ladder_reset', 'daily', 'day',
  'device', 'device_window', 'device_pause', 'company', 'company_window', 'company_pause',
  'source', 'source_window', 'source_gap',
}) do
  limit[name] = tonumber(ARGV[7 + i])
end

-- How many wrong tries are in the window ending at `at`
local function rolling(key, window, at)
  redis.call('ZREMRANGEBYSCORE', key .. ':wrong', '-inf', at - window)
  return redis.call('ZCARD', key .. ':wrong')
end

local function remember(key, window, attempt, at)
  redis.call('ZADD', key .. ':wrong', at, attempt)
  redis.call('EXPIRE', key .. ':wrong', KEPT)
  return rolling(key, window, at)
end

-- When so many have left the window that one try is free again
local function window_frees(key, count, allowed, window)
  return tonumber(redis.call('ZRANGE', key .. ':wrong', count - allowed, count - allowed, 'WITHSCORES')[2]) + window
end

-- Never below none, even if the store lost keys: that would grant more tries than the limit
local function land(key)
  if redis.call('HINCRBY', key, 'flying', -1) < 0 then
    redis.call('HSET', key, 'flying', 0)
  end
  redis.call('EXPIRE', key, KEPT)
end

-- An overdue attempt that turned wrong before an unlock is found after it: the unlock has wiped it all the same
local function unlocked_since(key, at, overdue)
  return overdue and at <= field(key, 'wiped')
end

local function number_wrong(attempt, subject, at, overdue)
  local key = base .. ':number:' .. subject
  land(key)
  if unlocked_since(key, at, overdue) then
    return
  end
  local consecutive, ladder, ending = field(key, 'consecutive') + 1, field(key, 'ladder'), field(key, 'until')
  if ladder > 0 and at >= ending + limit.ladder_reset then
    ladder = 0
  end
  if consecutive >= limit.consecutive then
    ending = at + math.min(limit.lock * 2 ^ ladder, limit.lock_cap)
    consecutive, ladder = 0, ladder + 1
    begin('number', subject, 'consecutive', at, ending)
  end
  redis.call('HSET', key, 'consecutive', consecutive, 'ladder', ladder, 'until', ending)
  local count = remember(key, limit.day, attempt, at)
  if count == limit.daily then
    begin('number', subject, 'daily', at, window_frees(key, count, limit.daily, limit.day))
  end
end

-- A device or company: its window starts anew with each pause, and a wrong try that comes in a pause is not counted
local function place_wrong(scope, subject, key, attempt, at, overdue)
  local allowed, window = limit[scope], limit[scope .. '_window']
  if allowed == 0 or at < field(key, 'until') or unlocked_since(key, at, overdue) then
    return
  end
  if remember(key, window, attempt, at) >= allowed then
    local ending = at + limit[scope .. '_pause']
    redis.call('DEL', key .. ':wrong')
    redis.call('HSET', key, 'until', ending)
    redis.call('EXPIRE', key, KEPT)
    begin(scope, subject, 'pause', at, ending)
  end
end

local function wrong(attempt, of_number, of_device, of_source, at, overdue)
  number_wrong(attempt, of_number, at, overdue)
  if of_device ~= '' then
    place_wrong('device', of_device, base .. ':device:' .. of_device, attempt, at, overdue)
  end
  place_wrong('company', '', base .. ':company', attempt, at, overdue)
  if limit.source > 0 and of_source ~= '' then
    remember(base .. ':source:' .. of_source, limit.source_window, attempt, at)
  end
end

-- Attempts whose time is over, oldest first
local overdue = redis.call('ZRANGEBYSCORE', open, '-inf', now - limit.flight, 'WITHSCORES')
for i = 1, #overdue, 2 do
  redis.call('ZREM', open, overdue[i])
  local attempt, of_number, of_device, of_source = string.match(overdue[i], '^([^|]*)|([^|]*)|([^|]*)|(.*)$')
  wrong(attempt, of_number, of_device, of_source, tonumber(overdue[i + 1]) + limit.flight, true)
end

local number_key = base .. ':number:' .. number

-- right, wrong, release → whether the attempt was still in flight, then the locks that began
if operation ~= 'reserve' then
  local in_time = redis.call('ZREM', open, member)
  if in_time == 1 then
    if operation == 'wrong' then
      wrong(id, number, device, source, now, false)
    else
      land(number_key)
      if operation == 'right' then
        redis.call('HSET', number_key, 'consecutive', 0, 'ladder', 0)
      end
    end
  end
  return {in_time, locks}
end

-- reserve → 1 and the number's attempts in flight, or 0, the scope that refuses longest and its wait; then the locks
local refusing, wait = '', 0
local function refuse(scope, milliseconds)
  if milliseconds > wait then
    refusing, wait = scope, milliseconds
  end
end

local flying = field(number_key, 'flying')
local wrong_today = rolling(number_key, limit.day, now)
refuse('number', field(number_key, 'until') - now)
if wrong_today >= limit.daily then
  refuse('number', window_frees(number_key, wrong_today, limit.daily, limit.day) - now)
elseif flying + field(number_key, 'consecutive') >= limit.consecutive or flying + wrong_today >= limit.daily then
  refuse('number', 1)
end
if limit.device > 0 and device ~= '' then
  refuse('device', field(base .. ':device:' .. device, 'until') - now)
end
if limit.company > 0 then
  refuse('company', field(base .. ':company', 'until') - now)
end
local source_key = base .. ':source:' .. source
if limit.source > 0 and source ~= '' and rolling(source_key, limit.source_window, now) >= limit.source then
  if now < field(source_key, 'last') + limit.source_gap then
    refuse('source', limit.source_gap)
  end
end
if wait > 0 then
  return {0, refusing, wait, locks}
end

redis.call('ZADD', open, now, member)
redis.call('EXPIRE', open, OPEN_KEPT)
flying = redis.call('HINCRBY', number_key, 'flying', 1)
redis.call('EXPIRE', number_key, KEPT)
if limit.source > 0 and source ~= '' then
  redis.call('HSET', source_key, 'last', now)
  redis.call('EXPIRE', source_key, KEPT)
end
return {1, '', flying, locks}
