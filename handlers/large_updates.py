"""Large updates, prepared in a worker process so that the event loop never meets them whole."""

from crdt.split import split_update
from crdt.update import inspect_update


def prepare(data: bytes, parts_at_once: int) -> list[bytes]:
    """The update as valid updates in an order in which each builds on those before it. Raises MalformedUpdate."""
    inspect_update(data)
    return split_update(data, parts_at_once)
