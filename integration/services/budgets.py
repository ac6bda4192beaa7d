"""Budgets of calls that all workers share (promise 8); without a broker, stricter ones.

A window is counted in grains of a second: a request counts until its second has passed.
"""

from collections import deque
from typing import NamedTuple
from uuid import uuid4

from redis import Redis

from integration import clock
from integration.connectors.throttle import (
    BUSY_SECONDS,
    REQUESTS,
    WINDOW_SECONDS,
    LocalThrottle,
    open_to,
    worth_waiting_for,
)
from integration.services.shared_memory import SharedMemory

_GRAIN_SECONDS = 1.0
_LEASE_SECONDS = 60.0
"""So long the call of a killed worker counts as running. One that takes longer may be
joined by one too many, which the system lets wait."""
_STRICTER = 2
"""What a process without broker leaves to another one."""

_AHEAD_MS = int(clock.AHEAD.total_seconds() * 1_000)
# What the broker's clock says, and how long a budget is closed for. Both in ms. One
# that was closed ahead of now would stay so until the clock, set back, comes there.
_CLOCK = f"""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function closed_for(key)
  local since = tonumber(redis.call('GET', key) or '')
  if not since or since > now + {_AHEAD_MS} then return 0 end
  return math.max(0, redis.call('PTTL', key))
end
"""
# KEYS: grain → requests, lease → its end, closed. All times in ms; answers the wait.
_ACQUIRE = f"""{_CLOCK}
local cost, wanted, requests = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local window, grain = tonumber(ARGV[4]), tonumber(ARGV[5])
local closed = closed_for(KEYS[3])
if closed > 0 then return closed end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local latest = now + tonumber(ARGV[8]) + {_AHEAD_MS}
redis.call('ZREMRANGEBYSCORE', KEYS[2], latest, '+inf')
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[6]) then return tonumber(ARGV[7]) end
local grains, total = {{}}, 0
local spent = redis.call('HGETALL', KEYS[1])
for i = 1, #spent, 2 do
  local spent_at = tonumber(spent[i]) * grain
  local free_at = spent_at + grain + window
  if free_at <= now or spent_at > now + {_AHEAD_MS} then
    redis.call('HDEL', KEYS[1], spent[i])
  else
    grains[#grains + 1] = {{free_at, tonumber(spent[i + 1])}}
    total = total + tonumber(spent[i + 1])
  end
end
if total + cost > requests then
  table.sort(grains, function(a, b) return a[1] < b[1] end)
  local missing = total + wanted - requests
  for _, each in ipairs(grains) do
    missing = missing - each[2]
    if missing <= 0 then return each[1] - now end
  end
end
redis.call('HINCRBY', KEYS[1], math.floor(now / grain), cost)
redis.call('PEXPIRE', KEYS[1], window + grain)
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[8]), ARGV[9])
redis.call('PEXPIRE', KEYS[2], ARGV[8])
return 0
"""
# KEYS: grain → requests, closed. Answers how many requests count, and the wait in ms.
_STANDING = f"""{_CLOCK}
local window, grain = tonumber(ARGV[1]), tonumber(ARGV[2])
local total, spent = 0, redis.call('HGETALL', KEYS[1])
for i = 1, #spent, 2 do
  local spent_at = tonumber(spent[i]) * grain
  if spent_at + grain + window > now and spent_at <= now + {_AHEAD_MS} then
    total = total + tonumber(spent[i + 1])
  end
end
return {{total, closed_for(KEYS[2])}}
"""
_CLOSE = f"""{_CLOCK}
if closed_for(KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], now, 'PX', ARGV[1])
end
"""


class Standing(NamedTuple):
    """How a budget stands: requests of the window, and seconds it is closed for."""

    spent: int
    closed: float
    whole: int = REQUESTS


class SharedThrottle:
    """The budget ``name``: so many calls at once, 6,000 requests in five minutes."""

    def __init__(self, memory: SharedMemory, name: str, concurrent: int) -> None:
        self._memory = memory
        self._keys = [f"{name}:{part}" for part in ("spent", "running", "closed")]
        self._concurrent = concurrent
        self._alone = LocalThrottle(
            concurrent=max(1, concurrent // _STRICTER),
            requests=REQUESTS // _STRICTER,
        )
        # Which lease a call gives back does not matter; "" is one of our own.
        self._leases: deque[str] = deque()

    def acquire(self, cost: int = 1) -> float:
        lease = uuid4().hex
        waited = self._memory.ask(lambda redis: self._acquire(redis, cost, lease))
        if waited is None:
            lease, wait = "", self._acquire_alone(cost)
        else:
            wait = waited / 1000 * clock.rate()
        if wait == 0:
            self._leases.append(lease)
        return wait

    def release(self) -> None:
        lease = self._leases.popleft()
        if lease:
            self._memory.ask(lambda redis: redis.zrem(self._keys[1], lease))
        else:
            self._alone.release()

    def penalize(self, seconds: float) -> None:
        self._alone.penalize(seconds)
        if pause := _milliseconds(seconds):
            closed = self._keys[2]
            self._memory.ask(lambda redis: redis.eval(_CLOSE, 1, closed, pause))

    def is_closed(self) -> bool:
        standing = self.standing()
        return self._alone.is_closed() if standing is None else standing.closed > 0

    def standing(self) -> Standing | None:
        """What all workers have spent; ``None`` without a broker."""
        found = self._memory.ask(
            lambda redis: redis.eval(
                _STANDING,
                2,
                self._keys[0],
                self._keys[2],
                _milliseconds(WINDOW_SECONDS),
                _grain(),
            )
        )
        if found is None:
            return None
        return Standing(int(found[0]), int(found[1]) / 1000 * clock.rate())

    def _acquire_alone(self, cost: int) -> float:
        """A budget of our own that is spent binds only until all are asked again."""
        wait = self._alone.acquire(cost)
        if self._alone.is_closed():
            return wait
        return min(wait, max(BUSY_SECONDS, self._memory.seconds_alone()))

    def _acquire(self, redis: Redis, cost: int, lease: str) -> int:
        most = open_to(cost, REQUESTS)
        cost = min(cost, most)
        return int(
            redis.eval(
                _ACQUIRE,
                len(self._keys),
                *self._keys,
                cost,
                worth_waiting_for(cost, most),
                most,
                _milliseconds(WINDOW_SECONDS),
                _grain(),
                self._concurrent,
                max(1, _milliseconds(BUSY_SECONDS)),
                max(1, _milliseconds(_LEASE_SECONDS)),
                lease,
            )
        )


def _grain() -> int:
    return max(1, _milliseconds(_GRAIN_SECONDS))


def _milliseconds(seconds: float) -> int:
    """Of the broker, whose time always is this world's."""
    return round(seconds * 1000 / clock.rate())
