"""Large updates, prepared in a worker process so that the event loop never meets them whole."""

from crdt.split import split_update
from crdt.update import inspect_update

# The engine takes about a microsecond a struct: parts of this size hold the loop for a few milliseconds.
MAX_STRUCTS_AT_ONCE = 2_000


def prepare(data: bytes) -> list[bytes]:
    """The update as valid updates in an order in which each builds on those before it. Raises MalformedUpdate."""
    inspect_update(data)
    return split_update(data, MAX_STRUCTS_AT_ONCE)
