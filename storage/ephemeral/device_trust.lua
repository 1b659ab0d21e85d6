-- Admits signed requests, any number in one call, and keeps each terminal's employee session.
--
-- Keys, all of one bucket `{b00}` … `{b3f}`:
--   <bucket>:born        `<seconds> <run id of the server>`; a nonce minted before it may have been consumed in a store
--                        since lost
--   <bucket>:n:<nonce>   a consumed nonce
--   <bucket>:s:<keyid>   64 hex digits of the token's hash, 13 digits absolute end, 13 digits last use (ms), then fields
-- They are built from the arguments, so that a batch on one node names a single key; on a cluster the caller names all.

-- One second because a nonce minted in this very second may be consumed already, one for gateways' clocks that differ.
local BIRTH_MARGIN = 2
-- Seconds a consumed nonce is remembered: the 180 s of a nonce's life, 5 s of clock difference, and room.
local CONSUMED_SECONDS = 240

local operation = ARGV[1]

-- Another run of the server may have come back from a snapshot or a replica that lacks the latest consumed nonces, so a
-- birth counts only for the run it was written in. Empty where the server does not tell (the in-process one keeps
-- nothing over a restart).
local function run_id()
  local told = redis.pcall('INFO', 'server')
  return type(told) == 'string' and string.match(told, 'run_id:(%w+)') or ''
end
local this_run = run_id()

-- A birth as it is stored, in seconds; nothing when this run has none.
local function birth_of(stored)
  if stored then
    local born, run = string.match(stored, '^(%d+) (%w*)$')
    if born and run == this_run then
      return tonumber(born)
    end
  end
end

local function as_birth(born)
  return string.format('%.0f %s', born, this_run)
end

-- The bucket's birth; when this run has none, later than anything `latest` (seconds) may have been minted at.
local function birth(bucket, latest)
  local key = bucket .. ':born'
  local born = birth_of(redis.call('GET', key))
  if not born then
    born = latest + BIRTH_MARGIN
    redis.call('SET', key, as_birth(born))
  end
  return born
end

-- announce <now s> <latest s> <bucket>…  → the highest birth
if operation == 'announce' then
  local latest = math.max(tonumber(ARGV[2]), tonumber(ARGV[3]))
  local keys = {}
  for i = 4, #ARGV do
    keys[#keys + 1] = ARGV[i] .. ':born'
  end
  local highest, unborn = 0, {}
  for i, stored in ipairs(redis.call('MGET', unpack(keys))) do
    local born = birth_of(stored)
    if not born then
      born = latest + BIRTH_MARGIN
      unborn[#unborn + 1] = keys[i]
      unborn[#unborn + 1] = as_birth(born)
    end
    highest = math.max(highest, born)
  end
  if #unborn > 0 then
    redis.call('MSET', unpack(unborn))
  end
  return highest
end

-- end <bucket> <keyid> <token hash or nothing>  → sessions ended
if operation == 'end' then
  local key = ARGV[2] .. ':s:' .. ARGV[3]
  if ARGV[4] ~= '' then
    local stored = redis.call('GET', key)
    if not stored or string.sub(stored, 1, 64) ~= ARGV[4] then
      return 0
    end
  end
  return redis.call('DEL', key)
end

-- admit <latest s> <idle ms> <after a stamp ms> ( <bucket> <keyid> <nonce> <minted s> <now ms> <claim> )…
--   claim: nothing, or `r` (any request) or `s` (a stamp) and the token's hash
--   → the highest birth met, then per request: 0 admitted, 1 replayed, −born when minted before, or the session's fields
local latest, idle, after_stamp = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local births, answers, highest = {}, {0}, 0

for i = 5, #ARGV, 6 do
  local bucket, minted, now = ARGV[i], tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4])
  local born = births[bucket]
  if not born then
    born = birth(bucket, math.max(latest, minted, math.floor(now / 1000)))
    births[bucket] = born
    highest = math.max(highest, born)
  end
  local answer = 0
  if minted < born then
    answer = -born
  elseif not redis.call('SET', bucket .. ':n:' .. ARGV[i + 2], 1, 'NX', 'EX', CONSUMED_SECONDS) then
    answer = 1
  elseif ARGV[i + 5] ~= '' then
    local claim, key = ARGV[i + 5], bucket .. ':s:' .. ARGV[i + 1]
    local stored = redis.call('GET', key)
    if stored and string.sub(stored, 1, 64) == string.sub(claim, 2) then
      local ends, used = tonumber(string.sub(stored, 65, 77)), tonumber(string.sub(stored, 78, 90))
      if now < ends and now < used + idle then
        if string.sub(claim, 1, 1) == 's' then
          ends = math.min(ends, now + after_stamp)
        end
        redis.call('SETRANGE', key, 64, string.format('%013.0f%013.0f', ends, now))
        answer = string.sub(stored, 91)
      else
        redis.call('DEL', key)
      end
    end
  end
  answers[#answers + 1] = answer
end

answers[1] = highest
return answers
