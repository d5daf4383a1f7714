"""Profiles of columns beside polars and DuckDB: the same figures, the time they take and the memory.

`python -m benchmarks.profile` measures and keeps the table in benchmarks/PROFILE.md; `--quick` measures a tenth of the
rows and keeps nothing. Each measurement runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import profile_engines
from benchmarks.profile_data import COLUMNS, LARGE_COLUMNS, write_columns, write_large

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "PROFILE.md"
ENGINES = (
    ("ours", "Collab Studio, 2 threads"),
    ("ours-1", "Collab Studio, 1 thread"),
    ("polars", "polars"),
    ("polars-sorted", "polars, each column sorted once"),
    ("duckdb", "DuckDB"),
)
LARGE = (
    ("large-columns", "one column after the other"),
    ("large-rows", "all columns in one pass"),
)
MIB = 2**20

# What is to be reached.
TIME_OF_POLARS, MEMORY_OF_DATA, LARGE_MIB = 0.5, 2.0, 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows; keeps no table")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--skip-large", action="store_true", help="without the ten-million-row file")
    options = parser.parse_args()
    rows, large_rows = (100_000, 1_000_000) if options.quick else (1_000_000, 10_000_000)
    with tempfile.TemporaryDirectory(prefix="studio-profile-") as name:
        folder = Path(name)
        write_columns(folder, rows)
        found = _rounds(folder, options.rounds)
        large = {}
        if not options.skip_large:
            write_large(folder / "large" / "large.parquet", large_rows)
            large = {engine: _measured(folder, engine) for engine, _ in LARGE}
    text = _report(rows, large_rows, found, large, options.rounds)
    print(text)
    if not options.quick and not options.skip_large:
        RESULTS.write_text(text, encoding="utf-8")
    return 0


def _rounds(folder: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """Of each engine the fastest run, taken in turns: what others took of the machine only ever adds."""
    runs = [{engine: _measured(folder, engine) for engine, _ in ENGINES} for _ in range(rounds)]
    best = {engine: min((run[engine] for run in runs), key=lambda figures: figures["wall"]) for engine, _ in ENGINES}
    for engine, figures in best.items():
        figures["cpu"] = min(run[engine]["cpu"] for run in runs)
        figures["peak"] = max(run[engine]["peak"] for run in runs)
    return best


def _measured(folder: Path, engine: str) -> dict[str, Any]:
    limits = {"POLARS_MAX_THREADS": "2", "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.profile_engines", engine, str(folder)],
        cwd=ROOT,
        env={**os.environ, **limits},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"the measurement of {engine} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout))


def _report(
    rows: int, large_rows: int, found: dict[str, dict[str, Any]], large: dict[str, dict[str, Any]], rounds: int
) -> str:
    data = COLUMNS * rows * 8 / MIB
    lines = [
        "# Profiles of columns",
        "",
        f"Made by `python -m benchmarks.profile` on {datetime.now(UTC):%d %B %Y}: the fastest of {rounds} rounds,",
        "which the engines took in turns.",
        "",
        f"## {COLUMNS} columns of float64, {rows:,} rows, 1 % nulls",
        "",
        "The same figures of each: count, nulls, distinct, min, max, mean, standard deviation, skewness, kurtosis,",
        "sum, zeros, negatives, seven quantiles, ten most frequent values, a histogram of 50 bins. All exact, all",
        "with two threads unless said. The data is in memory; reading it is not measured. Added is the peak of",
        "resident memory above that with the data loaded; total is the peak above that without it, over the",
        f"{data:.0f} MiB of the values.",
        "",
        "| engine | time, s | of polars | of DuckDB | CPU, s | of polars | added, MiB | total |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for engine, title in ENGINES:
        figures = found[engine]
        added = figures["peak"] - figures["loaded"]
        lines.append(
            f"| {title} | {figures['wall']:.2f} | {figures['wall'] / found['polars']['wall']:.2f} "
            f"| {figures['wall'] / found['duckdb']['wall']:.2f} | {figures['cpu']:.2f} "
            f"| {figures['cpu'] / found['polars']['cpu']:.2f} | {added / MIB:.0f} "
            f"| {(figures['peak'] - figures['before']) / MIB / data:.2f} |"
        )
    lines += ["", *_agreement(found), "", *_targets(found, large, data), ""]
    if large:
        lines += _large_table(large_rows, large)
    lines += [
        "## Measured on",
        "",
        f"- {processor()}, {os.cpu_count()} cores",
        f"- Python {platform.python_version()}",
    ]
    lines += [f"- {package} {version(package)}" for package in ("numpy", "polars", "duckdb")]
    return "\n".join([*lines, ""])


def _agreement(found: dict[str, dict[str, Any]]) -> list[str]:
    worst = {
        engine: profile_engines.largest_difference(found["ours"]["answer"], found[engine]["answer"])
        for engine in ("polars", "duckdb")
    }
    return [
        f"The answers agree: the largest relative difference of any figure is {worst['polars']:.1e} to polars and",
        f"{worst['duckdb']:.1e} to DuckDB; counts, distinct counts, quantiles, counts of top values and bins are equal",
        "(polars counts a value on an edge to the bin before; bins are compared where no value is on one).",
    ]


def _targets(found: dict[str, dict[str, Any]], large: dict[str, dict[str, Any]], data: float) -> list[str]:
    best = min(found["polars"]["wall"], found["polars-sorted"]["wall"])
    time_ratio = found["ours"]["wall"] / best
    memory = (found["ours"]["peak"] - found["ours"]["before"]) / MIB / data
    rows = [
        ("time of polars' faster way", f"{time_ratio:.2f}", f"<= {TIME_OF_POLARS}", time_ratio <= TIME_OF_POLARS),
        ("memory of the data", f"{memory:.2f}", f"<= {MEMORY_OF_DATA}", memory <= MEMORY_OF_DATA),
    ]
    for engine, title in LARGE:
        if engine in large:
            peak = large[engine]["peak"] / MIB
            rows.append((f"large file, {title}: MiB resident", f"{peak:.0f}", f"<= {LARGE_MIB}", peak <= LARGE_MIB))
    lines = ["| to reach | found | wanted | reached |", "|---|---|---|---|"]
    return lines + [
        f"| {what} | {value} | {wanted} | {'yes' if ok else '**no**'} |" for what, value, wanted, ok in rows
    ]


def _large_table(rows: int, large: dict[str, dict[str, Any]]) -> list[str]:
    lines = [
        f"## A Parquet file of {rows:,} rows",
        "",
        f"{len(LARGE_COLUMNS)} columns: {', '.join(LARGE_COLUMNS)}; the e-mail",
        "addresses all differ. Read by our connector for files, DuckDB limited to 256 MiB; resident is the peak of the",
        "whole process, interpreter and libraries included. The budget is 256 MiB, for one column or all together.",
        "Columns beyond have quantiles, distinct and top values from sketches, and everything else exact.",
        "",
        "| way | columns | time, s | CPU, s | rows/s | peak resident, MiB | columns with sketches |",
        "|---|---|---|---|---|---|---|",
    ]
    for engine, title in LARGE:
        figures = large[engine]
        lines.append(
            f"| {title} | {figures['columns']} | {figures['wall']:.1f} | {figures['cpu']:.1f} "
            f"| {rows / figures['wall']:,.0f} | {figures['peak'] / MIB:.0f} | {figures['sketched']} |"
        )
    return [*lines, ""]


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    sys.exit(main())
