"""Insights against planted truth, against tables with nothing in them, and against the clock.

`python -m benchmarks.insights` measures and keeps the table in benchmarks/INSIGHTS.md; `--quick` makes few tables and
keeps nothing.
"""

from __future__ import annotations

import argparse
import collections
import os
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from analysis.frames import Frame, frame_of
from analysis.insights.discover import find_insights
from analysis.insights.findings import Insights
from analysis.insights.options import InsightOptions
from analysis.insights.registry import TYPES
from benchmarks.insights_data import NOW, PLANTS, SHAPES, Planted, levels, nothing

RESULTS = Path(__file__).parent / "INSIGHTS.md"
LEVEL = 0.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few tables; keeps nothing")
    parser.add_argument("--nulls", type=int, default=30, help="tables of nothing a shape")
    parser.add_argument("--plants", type=int, default=12, help="tables a type and strength")
    options = parser.parse_args()
    nulls, plants = (4, 3) if options.quick else (options.nulls, options.plants)
    text = "\n".join([*_head(nulls, plants), *_nulls(nulls), *_plants(plants), *_speed()])
    print(text)
    if not options.quick:
        RESULTS.write_text(text + "\n", encoding="utf-8")
    return 0


def _head(nulls: int, plants: int) -> list[str]:
    return [
        "# Insights: what is found, what is not there, how fast",
        "",
        f"Made by `python -m benchmarks.insights` on {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, "
        f"numpy {version('numpy')}, scipy {version('scipy')}. The seed of a table is its number.",
        f"{nulls} tables of nothing for each of {len(SHAPES)} shapes, {plants} planted tables for each type and "
        f"strength; false discovery rate asked for: {LEVEL:.0%}.",
        "",
    ]


def _nulls(number: int) -> list[str]:
    """With nothing to find, any discovery is false, and the rate is that of tables with one."""
    lines = [
        "## Tables with nothing in them",
        "",
        "Six unrelated columns (two with nulls at random), two unrelated categories, a time column. A table is a "
        "false alarm if it has any discovery or fact.",
        "",
        "| shape | tables | hypotheses tested | false alarms | of which types |",
        "|---|---|---|---|---|",
    ]
    all_tables, all_alarms = 0, 0
    for shape in SHAPES:
        tested, alarms, types = 0, 0, collections.Counter[str]()
        for seed in range(number):
            found = find_insights(nothing(shape, np.random.default_rng(seed)), InsightOptions(now=NOW, seconds=120))
            tested += found.tests_performed
            alarms += bool(found.insights)
            types.update({insight.type for insight in found.insights})
        all_tables, all_alarms = all_tables + number, all_alarms + alarms
        named = ", ".join(f"{kind} {count}" for kind, count in types.most_common()) or "none"
        lines.append(f"| {shape} | {number} | {tested:,} | {alarms} | {named} |")
        print(lines[-1], flush=True)
    share, reach = all_alarms / all_tables, 1.96 * (LEVEL * (1 - LEVEL) / all_tables) ** 0.5
    lines += [
        "",
        f"All: {all_alarms} of {all_tables} tables, {share:.1%} (promised: at most {LEVEL:.0%}; chance alone keeps it "
        f"below {LEVEL + reach:.1%}).",
        "",
    ]
    return lines


def _plants(number: int) -> list[str]:
    lines = [
        "## Planted facts",
        "",
        "Recall: the share of tables in which the planted type is told of a planted column. "
        "False: insights that name no planted column, of all that were told in these tables.",
        "",
        "| type | what it is | weak | medium | strong | false of told |",
        "|---|---|---|---|---|---|",
    ]
    all_false = all_told = 0
    for kind, plant in PLANTS.items():
        recalls, false, told = [], 0, 0
        for strength in range(3):
            hits = 0
            for seed in range(number):
                made = plant(np.random.default_rng(1000 * strength + seed), strength)
                found = find_insights(made.frame, made.options)
                hits += is_found(found, kind, made)
                false += false_ones(found, made)
                told += len(found.insights)
            recalls.append(hits / number)
        all_false, all_told = all_false + false, all_told + told
        cells = " | ".join(f"{recall:.0%}" for recall in recalls)
        lines.append(f"| {kind} | {TYPES[kind]} | {cells} | {false} of {told} |")
        print(lines[-1], flush=True)
    lines += ["", f"All: {all_false} false of {all_told} told, {all_false / max(all_told, 1):.2%}.", ""]
    return lines


def is_found(found: Insights, kind: str, made: Planted) -> bool:
    """Whether the type is told of a planted column, by itself or as what another insight says, too."""
    told = [(insight.type, insight.columns) for insight in found.insights]
    told += [(also.type, also.columns) for insight in found.insights for also in insight.also]
    return any(kind == name and made.columns & set(columns) for name, columns in told)


def false_ones(found: Insights, made: Planted) -> int:
    return sum(not made.columns & set(insight.columns) for insight in found.insights)


def _speed() -> list[str]:
    lines = [
        "## Time",
        "",
        "Median of three, one process; numbers, counts, categories and a time column, nothing planted. The load of "
        f"the machine was {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: with more than one a core, seconds are "
        "too many.",
        "",
        "| rows | columns | seconds | CPU seconds | hypotheses | complete |",
        "|---|---|---|---|---|---|",
    ]
    for rows, columns in ((1_000, 30), (100_000, 30), (1_000, 1_000), (200, 10_000)):
        frame = _wide(rows, columns)
        walls, used = [], []
        for _ in range(3):
            wall, cpu = time.perf_counter(), time.process_time()
            found = find_insights(frame, InsightOptions(now=NOW, seconds=60))
            walls.append(time.perf_counter() - wall)
            used.append(time.process_time() - cpu)
        lines.append(
            f"| {rows:,} | {columns:,} | {np.median(walls):.2f} | {np.median(used):.2f} | {found.tests_performed:,} | "
            f"{'yes' if found.complete else 'no, with a status'} |"
        )
    return lines


def _wide(rows: int, columns: int) -> Frame:
    rng = np.random.default_rng(0)
    made: dict[str, object] = {
        "when": np.datetime64("2023-01-01") + rng.integers(0, 730 * 24, rows).astype("timedelta64[h]")
    }
    for number in range(columns - 1):
        match number % 10:
            case 0 | 1 | 2:
                made[f"c{number}"] = levels(rng, rows, 3 + number % 25)
            case 3:
                made[f"c{number}"] = rng.poisson(5, rows)
            case 4 | 5:
                made[f"c{number}"] = rng.standard_normal(rows)
            case _:
                made[f"c{number}"] = rng.lognormal(2.0, 1.0, rows)
    return frame_of(made)  # type: ignore[arg-type]


if __name__ == "__main__":
    raise SystemExit(main())
