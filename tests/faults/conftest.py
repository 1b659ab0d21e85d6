from __future__ import annotations

from tests.gateway.conftest import house
from tests.servers.redis import own_redis_server, redis_server

__all__ = ["house", "own_redis_server", "redis_server"]
