-- Tries from one source within a rolling window, counted before their outcome is known.
-- KEYS[1] the source's tries: attempt id by time (ms).  ARGV: now (ms), limit, window (ms), attempt id
-- → 0 when the try may go on, else milliseconds until one leaves the window
local now, limit, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local count = redis.call('ZCARD', KEYS[1])
if count >= limit then
  local freeing = redis.call('ZRANGE', KEYS[1], count - limit, count - limit, 'WITHSCORES')
  return math.max(1, tonumber(freeing[2]) + window - now)
end
redis.call('ZADD', KEYS[1], now, ARGV[4])
redis.call('PEXPIRE', KEYS[1], 2 * window)
return 0
