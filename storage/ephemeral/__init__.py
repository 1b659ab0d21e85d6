"""What may expire: consumed nonces, sessions, lockout counters. Kept in Redis, a Redis Cluster or in this process.

Every rule is one Lua script, so that it is atomic however many gateways share the store. Time is always an argument and
compared with stored times; a TTL only collects garbage.
"""

from __future__ import annotations

from storage.ephemeral.connection import Ephemeral, EphemeralUnavailable

__all__ = ["Ephemeral", "EphemeralUnavailable"]
