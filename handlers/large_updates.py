"""Large updates, prepared in a worker process so that the event loop never meets them whole."""

from crdt.split import split_update
from crdt.update import inspect_update

# Crafted to conflict, n structs cost the engine n * n: of so many at once the worst take a few milliseconds.
PARTS_AT_ONCE = 64


def prepare(data: bytes) -> list[bytes]:
    """The update as valid updates in an order in which each builds on those before it. Raises MalformedUpdate."""
    inspect_update(data)
    return split_update(data, PARTS_AT_ONCE)
