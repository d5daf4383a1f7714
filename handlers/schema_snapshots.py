"""Snapshots of schemas out of what connectors tell, and their differences as they are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from analysis.schema_changes.changes import Change, differences, summary
from analysis.schema_changes.snapshots import Column, Dataset, ForeignKey, Snapshot
from connectors.datasets import Description

EMPTY = b'{"datasets":[]}'


def dataset_of(description: Description) -> Dataset:
    """A dataset as a snapshot holds it."""
    return Dataset(
        name=str(description.dataset.ref),
        columns=tuple(
            Column(name=each.name, type=each.native_type, nullable=each.nullable, default=each.default)
            for each in description.columns
        ),
        primary_key=description.primary_key,
        unique=frozenset(key.columns for key in description.unique_keys),
        foreign_keys=frozenset(
            ForeignKey(columns=key.columns, referred_dataset=str(key.target), referred_columns=key.target_columns)
            for key in description.foreign_keys
        ),
        kind=description.dataset.kind.replace("_", " "),
    )


def encode(datasets: Sequence[Dataset]) -> bytes:
    """The snapshot's JSON, the same for the same datasets in whatever order."""
    plain = [_plain(dataset) for dataset in sorted(datasets, key=lambda dataset: dataset.name)]
    return msgspec.json.encode({"datasets": plain})


def _plain(dataset: Dataset) -> Mapping[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(dataset)
    for name in ("unique", "foreign_keys"):
        plain[name] = sorted(plain[name], key=msgspec.json.encode)
    return plain


def decode(content: bytes) -> Snapshot:
    return msgspec.json.decode(content, type=Snapshot)


def compared(before: bytes, after: bytes) -> tuple[list[dict[str, Any]], str]:
    """The differences of two snapshots as they are stored, and all of them in a sentence. For a worker process."""
    changes = differences(decode(before), decode(after))
    return [stored(change) for change in changes], summary(changes)


def stored(change: Change) -> dict[str, Any]:
    """A difference as JSON holds it."""
    return {
        "kind": change.kind.value,
        "dataset": change.dataset,
        "column": change.column,
        "sentence": change.sentence,
        "breaks": sorted(side.value for side in change.breaks),
        "before": change.before,
        "after": change.after,
        "similarity": change.similarity,
    }
