"""The bus that the settings ask for."""

from storage.bus.channels import Bus
from storage.bus.memory_bus import MemoryBus
from storage.bus.redis_bus import RedisBus


def open_bus(redis_url: str | None, node_id: str, *, prefix: str = "studio") -> Bus:
    """A bus over that Redis, or without one a bus of this process alone. Nothing is sent before it runs.

    Installations that share a Redis use different prefixes. Raises InvalidUrl.
    """
    return MemoryBus(node_id) if redis_url is None else RedisBus(redis_url, node_id, prefix=prefix)
