"""Rows of an SQLite table by chance: the same for the same seed, though SQLite's own chance takes none."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from connectors.datasets import Description, Sample

_ROW_IDS = ("rowid", "oid", "_rowid_")
_WORD = 0xFFFFFFFF
# Of Knuth's multiplicative hashing and of xxHash: odd numbers that mix well modulo 2**32.
_FIRST, _SECOND, _OF_SEED = 2654435761, 2246822519, 3266489917
_STEPS = 1 << 20


def sampled(
    connection: sqlite3.Connection, description: Description, source: str, arguments: Sequence[Any], sample: Sample
) -> str | None:
    """A condition that picks about so many rows of `source`; None where all are wanted.

    By a hash of the row's number. Views and tables without such are sampled by SQLite's own chance, each time anew.
    """
    rows = connection.execute(f"SELECT count(*) FROM {source}", arguments).fetchone()[0]  # noqa: S608 - quoted
    if rows <= sample.rows:
        return None
    number = _row_number(connection, description, source, arguments)
    if number is None:
        return f"abs(random() % {_STEPS}) < {round(_STEPS * sample.rows / rows)}"
    return f"{_hash(number, sample.seed)} % {_STEPS} < {round(_STEPS * sample.rows / rows)}"


def _row_number(
    connection: sqlite3.Connection, description: Description, source: str, arguments: Sequence[Any]
) -> str | None:
    taken = {column.name.lower() for column in description.columns}
    name = next((each for each in _ROW_IDS if each not in taken), None)
    if name is None:
        return None
    try:
        found = connection.execute(f"SELECT {name} FROM {source} LIMIT 1", arguments).fetchone()  # noqa: S608
    except sqlite3.OperationalError:
        return None
    return name if found is not None and isinstance(found[0], int) else None


def _hash(number: str, seed: int) -> str:
    """Two rounds of multiply and fold within 32 bits; SQLite has no exclusive or, but a | b less a & b is it."""
    mixed = f"((({number} + {seed * _OF_SEED % _WORD}) & {_WORD}) * {_FIRST} & {_WORD})"
    folded = f"(({mixed} | ({mixed} >> 15)) - ({mixed} & ({mixed} >> 15)))"
    return f"(({folded} * {_SECOND} & {_WORD}) >> 11)"
