"""Relationships: what is planted at several strengths is looked for, and nothing in tables that hold nothing.

`python -m benchmarks.relationships` measures and keeps the table in benchmarks/RELATIONSHIPS.md; `--quick` does a
fifth of the seeds and keeps nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from analysis.columns import Array
from analysis.frames import frame_of
from analysis.relationships.discover import discover
from analysis.relationships.findings import RelationshipOptions, Relationships, Standing

RESULTS = Path(__file__).parent / "RELATIONSHIPS.md"
SIZES = (500, 5_000)
BROKEN = (0.0, 0.005, 0.02)
Tables = Mapping[str, Mapping[str, Any]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the seeds; keeps no table")
    options = parser.parse_args()
    seeds = 10 if options.quick else 50
    text = "\n".join([*_head(seeds), *_planted(seeds), *_nothing(4 * seeds), *_speed()])
    print(text)
    if not options.quick:
        RESULTS.write_text(text + "\n", encoding="utf-8")
    return 0


def found_in(tables: Tables, seconds: float = 600.0) -> Relationships:
    frames = {name: frame_of(columns) for name, columns in tables.items()}
    return discover(frames, RelationshipOptions(seconds=seconds), lambda *_: None, lambda: None)


def _head(seeds: int) -> list[str]:
    return [
        "# Relationships",
        "",
        f"Made by `python -m benchmarks.relationships` on {datetime.now(UTC):%d %B %Y}.",
        "",
        "## What is planted",
        "",
        f"{seeds} seeds each: how often it is found, and other findings in the same tables, which are all wrong.",
        "Broken is the share of rows that do not keep to it: references without a partner, rows that violate a",
        "dependency or a formula. Dependencies are told up to 1 % of such rows, references and formulas up to 5 %.",
        "",
        "| planted | rows | broken | found | wrong |",
        "|---|---|---|---|---|",
    ]


def noise(random: np.random.Generator, rows: int) -> dict[str, Any]:
    """Columns of many shapes that have nothing to do with each other."""
    language = random.integers(10**9)
    words = np.array([f"word {number} of {language}" for number in range(rows // 4)], dtype=object)
    return {
        "flag": random.integers(0, 2, rows),
        "month": random.integers(1, 13, rows),
        "age": random.integers(18, 90, rows),
        "kind": words[np.minimum(random.geometric(0.4, rows), 9)],
        "word": words[random.integers(0, len(words), rows)],
        "count": random.poisson(3, rows),
        "price": np.round(random.lognormal(3, 1, rows), 2),
        "measure": random.normal(size=rows),
        "rare": (random.uniform(size=rows) < 0.01).astype(int),
        "day": np.datetime64("2024-01-01") + random.integers(0, 365, rows),
    }


def _broken(values: Array, others: Array, share: float, random: np.random.Generator) -> Array:
    rows = random.choice(len(values), round(share * len(values)), replace=False)
    changed = values.copy()
    changed[rows] = others[rows]
    return changed


def reference(random: np.random.Generator, rows: int, broken: float) -> Tables:
    ids = _broken(random.integers(1, rows // 4, rows), 10**6 + np.arange(rows), broken, random)
    parents = {"id": np.arange(1, rows // 4), **noise(random, rows // 4 - 1)}
    return {"customers": parents, "orders": {"customer_id": ids, **noise(random, rows)}}


def dependency(random: np.random.Generator, rows: int, broken: float) -> Tables:
    place = random.integers(0, 60, rows)
    town = _broken(place // 3, np.full(rows, 99), broken, random)
    return {"t": {"zip": 10_000 + 37 * place, "town": [f"town {number}" for number in town], **noise(random, rows)}}


def formula(random: np.random.Generator, rows: int, broken: float) -> Tables:
    columns = noise(random, rows)
    total = np.round(columns["price"] * (columns["count"] + 2), 2)
    columns["count"] = columns["count"] + 2
    return {"t": {**columns, "total": _broken(total, total + 1 + random.uniform(size=rows), broken, random)}}


def _references(found: Relationships) -> set[tuple[str, ...]]:
    likely = [key for key in found.foreign_keys if key.standing is Standing.LIKELY]
    return {("reference", key.child.column, key.parent.column) for key in likely}


def everything(found: Relationships) -> set[tuple[str, ...]]:
    """Findings that claim something."""
    return {
        *_references(found),
        *(("dependency", one.determinant, one.dependent) for one in found.dependencies),
        *(("formula", one.column, *sorted(one.sources)) for one in found.derived),
        *(("equal columns", *one.columns) for one in found.duplicate_columns),
        *(("equal rows", one.dataset) for one in found.duplicate_rows if one.standing is Standing.LIKELY),
        *(("join", one.left.column, one.right.column) for one in found.joinable if one.standing is Standing.LIKELY),
        *(("pair", *one.columns) for one in found.unique if one.standing is Standing.LIKELY and len(one.columns) > 1),
    }


PLANTED: Mapping[str, tuple[Callable[[np.random.Generator, int, float], Tables], tuple[str, ...]]] = {
    "reference": (reference, ("reference", "customer_id", "id")),
    "dependency": (dependency, ("dependency", "zip", "town")),
    "formula": (formula, ("formula", "total", "count", "price")),
}
# What is true beside what was planted.
ALSO_TRUE = {("join", "customer_id", "id"), ("join", "id", "customer_id")}


def _planted(seeds: int) -> list[str]:
    lines = []
    for place, (name, (make, wanted)) in enumerate(PLANTED.items()):
        for rows in SIZES:
            for broken in BROKEN:
                hits = wrong = 0
                for seed in range(seeds):
                    random = np.random.default_rng([place, rows, round(1000 * broken), seed])
                    found = everything(found_in(make(random, rows, broken)))
                    hits += wanted in found
                    wrong += len(found - {wanted} - ALSO_TRUE)
                lines.append(f"| {name} | {rows:,} | {broken:.1%} | {hits / seeds:.0%} | {wrong} |")
    return [*lines, ""]


def _nothing(seeds: int) -> list[str]:
    wrong: Counter[str] = Counter()
    tables = 0
    for seed in range(seeds):
        random = np.random.default_rng([99, seed])
        rows = int(random.integers(50, 3000))
        for finding in everything(
            found_in({"a": noise(random, rows), "b": {"id": np.arange(1, 400), **noise(random, 399)}})
        ):
            wrong[finding[0]] += 1
            tables += 1
    told = ", ".join(f"{count} {kind}" for kind, count in wrong.items()) or "none"
    return [
        "## Nothing planted",
        "",
        f"{seeds} pairs of tables of 10 and 11 columns that have nothing to do with each other: findings: {told}.",
        "",
    ]


def _speed() -> list[str]:
    random = np.random.default_rng(1)
    tables = reference(random, 1_000_000, 0.0)
    frames = {name: frame_of(columns) for name, columns in tables.items()}
    began, used = time.perf_counter(), time.process_time()
    discover(frames, RelationshipOptions(seconds=600), lambda *_: None, lambda: None)
    seconds, used = time.perf_counter() - began, time.process_time() - used
    return [
        "## Time",
        "",
        f"{seconds:.1f} s, {used:.1f} s of them of one core, for a table of 1,000,000 rows and 11 columns with one of",
        "250,000 rows and 11 columns.",
    ]


if __name__ == "__main__":
    sys.exit(main())
