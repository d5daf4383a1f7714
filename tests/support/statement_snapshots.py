"""Snapshots of statements, as a database counts them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from connectors.performance.figures import StatementSnapshot

NAMES = ("calls", "seconds", "rows")


def snapshot(at_ms: int, rows: dict[str, tuple[float, float, float]], **more: object) -> StatementSnapshot:
    since = more.pop("since", {})
    assert isinstance(since, dict)
    made = StatementSnapshot(
        at_ms=at_ms,
        epoch="one",
        keys=list(rows),
        names=NAMES,
        counters=np.array(list(rows.values()), np.float64).reshape(len(rows), 3),
        since=np.array([since.get(key, 0) for key in rows], np.int64),
        databases=["shop"] * len(rows),
        users=["ada"] * len(rows),
    )
    return replace(made, **more)  # type: ignore[arg-type]
