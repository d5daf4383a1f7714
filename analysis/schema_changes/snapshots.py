"""What a source looked like at a moment: its datasets with their columns and keys."""

from __future__ import annotations

import msgspec


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """`default` is the SQL of its default value, None if it has none."""

    name: str
    type: str
    nullable: bool = True
    default: str | None = None


class ForeignKey(msgspec.Struct, frozen=True, kw_only=True):
    columns: tuple[str, ...]
    referred_dataset: str
    referred_columns: tuple[str, ...]


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """A table, view or file. `name` is its whole name, such as `public.orders`."""

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    unique: frozenset[tuple[str, ...]] = frozenset()
    foreign_keys: frozenset[ForeignKey] = frozenset()
    kind: str = "table"


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    datasets: tuple[Dataset, ...]
