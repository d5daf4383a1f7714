"""Association matrices beside polars and pandas: the same figures, the time they take and the memory.

`make bench-analytics` installs the peers into an environment of their own, measures, and keeps the table in
benchmarks/ANALYTICS.md; `--quick` measures a tenth of the rows and keeps nothing. Each measurement runs in a process
of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.association_data import CATEGORIES, NUMBERS, write
from benchmarks.profile import processor

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "ANALYTICS.md"
MIB = 2**20

OURS = ("pearson", "spearman", "auto")
PEERS = ("polars-pearson", "pandas-pearson")
ONCE = ("pandas-spearman",)  # takes minutes
TITLES = {
    "pearson": "Pearson, Collab Studio",
    "polars-pearson": "Pearson, polars, 190 `pl.corr`",
    "pandas-pearson": "Pearson, pandas `corr`",
    "spearman": "Spearman, Collab Studio",
    "pandas-spearman": "Spearman, pandas `corr`",
    "auto": "`auto`, Collab Studio, numbers and categories, cold",
}

# What is to be reached.
PEARSON_OF_POLARS, PEARSON_OF_PANDAS, SPEARMAN_OF_PANDAS, AUTO_SECONDS, MEMORY_OF_DATA = 1.0, 0.4, 0.05, 15.0, 3.0
AGREEMENT = 1e-9


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", required=True, help="the Python that has polars, pandas and statsmodels")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows; keeps no table")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows = 100_000 if options.quick else 1_000_000
    with tempfile.TemporaryDirectory(prefix="studio-associations-") as name:
        folder = Path(name)
        write(folder, rows)
        found = _rounds(folder, options.peers, options.rounds)
        agreement = _agreement(
            _measured(sys.executable, "benchmarks.association_ours", "agreement", folder),
            _measured(options.peers, "benchmarks.association_peers", "agreement", folder),
        )
    text = _report(rows, options.rounds, found, agreement, _versions(options.peers))
    print(text)
    if not options.quick:
        RESULTS.write_text(text, encoding="utf-8")
    return 0


def _rounds(folder: Path, peers: str, rounds: int) -> dict[str, dict[str, Any]]:
    """Of each task the median of the rounds, which take turns; of memory the most."""
    runs: dict[str, list[dict[str, Any]]] = {task: [] for task in TITLES}
    for place in range(rounds):
        for task in OURS:
            runs[task].append(_measured(sys.executable, "benchmarks.association_ours", task, folder))
        for task in (*PEERS, *(ONCE if place == rounds - 1 else ())):
            runs[task].append(_measured(peers, "benchmarks.association_peers", task, folder))
    return {
        task: {
            **measured[0],
            "wall": statistics.median(run["wall"] for run in measured),
            "cpu": statistics.median(run["cpu"] for run in measured),
            "peak": max(run.get("peak", 0) for run in measured),
        }
        for task, measured in runs.items()
    }


def _measured(python: str, module: str, task: str, folder: Path) -> dict[str, Any]:
    blas = "1" if python == sys.executable else "2"
    limits = {"POLARS_MAX_THREADS": "2", "OMP_NUM_THREADS": blas, "OPENBLAS_NUM_THREADS": blas}
    done = subprocess.run(
        [python, "-m", module, task, str(folder)],
        cwd=ROOT,
        env={**os.environ, **limits},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"the measurement {task} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout))


def _agreement(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, float]:
    """The largest difference of any figure; relative where it is beyond 1."""
    worst = {}
    for what, figures in theirs.items():
        mine = [ours[what][key] for key in figures] if isinstance(figures, dict) else ours[what]
        others = list(figures.values()) if isinstance(figures, dict) else figures
        worst[what] = max(abs(a - b) / max(1.0, abs(b)) for a, b in zip(mine, others, strict=True))
    return worst


def _difference(found: dict[str, dict[str, Any]], ours: str, peer: str) -> float:
    return max(float(abs(a - b)) for a, b in zip(found[ours]["answer"], found[peer]["answer"], strict=True))


def _report(
    rows: int, rounds: int, found: dict[str, dict[str, Any]], agreement: dict[str, float], versions: dict[str, str]
) -> str:
    lines = [
        "# Analytics",
        "",
        f"Made by `make bench-analytics` on {datetime.now(UTC):%d %B %Y}.",
        "",
        "## Associations",
        "",
        f"{NUMBERS} columns of float64, {rows:,} rows, 1 % nulls each; `auto` has {CATEGORIES} categories",
        "beside them, of 2 to 300 levels: 435 pairs with intervals, q and tests. The data is in memory. Medians of",
        f"{rounds} rounds that the engines took in turns (Spearman in pandas: one), on two threads; ours have one for",
        "BLAS. Imports are not in the times but in that of `auto`. Memory is the peak above the process without data,",
        "over the data. A machine that others use, too, makes CPU the figure to look at.",
        "",
        "| task | time, s | CPU, s | memory of the data |",
        "|---|---|---|---|",
    ]
    for task, title in TITLES.items():
        figures = found[task]
        memory = f"{figures['peak'] / figures['data']:.2f}" if "data" in figures else ""
        lines.append(f"| {title} | {figures['wall']:.2f} | {figures['cpu']:.2f} | {memory} |")
    lines += ["", *_targets(found), "", *_agreement_lines(found, agreement), "", "## Measured on", ""]
    lines += [f"- {processor()}, {len(os.sched_getaffinity(0))} cores", f"- Python {platform.python_version()}"]
    lines += [f"- {package} {version}" for package, version in versions.items()]
    return "\n".join([*lines, ""])


def _targets(found: dict[str, dict[str, Any]]) -> list[str]:
    wall = {task: figures["wall"] for task, figures in found.items()}
    memory = max(found[task]["peak"] / found[task]["data"] for task in OURS)
    rows = [
        ("Pearson, time of polars", wall["pearson"] / wall["polars-pearson"], PEARSON_OF_POLARS),
        ("Pearson, time of pandas", wall["pearson"] / wall["pandas-pearson"], PEARSON_OF_PANDAS),
        ("Spearman, time of pandas", wall["spearman"] / wall["pandas-spearman"], SPEARMAN_OF_PANDAS),
        ("`auto`, s", wall["auto"], AUTO_SECONDS),
        ("memory of the data", memory, MEMORY_OF_DATA),
    ]
    lines = ["| to reach | found | wanted | reached |", "|---|---|---|---|"]
    return lines + [
        f"| {what} | {value:.3g} | <= {wanted:g} | {'yes' if value <= wanted else '**no**'} |"
        for what, value, wanted in rows
    ]


def _agreement_lines(found: dict[str, dict[str, Any]], agreement: dict[str, float]) -> list[str]:
    lines = [
        "Largest differences, relative beyond 1, on 100,000 rows, where every pair is ranked by itself:",
        "",
        "| figure | of | difference | at most 1e-9 |",
        "|---|---|---|---|",
    ]
    peers = {
        "pearson": "pandas", "spearman": "pandas", "chi_square": "statsmodels", "anova": "statsmodels",
        "bh": "statsmodels", "by": "statsmodels",
    }  # fmt: skip
    lines += [
        f"| {what} | {peers[what]} | {value:.1e} | {'yes' if value <= AGREEMENT else '**no**'} |"
        for what, value in agreement.items()
    ]
    return [
        *lines,
        "",
        f"On all rows Pearson differs by {_difference(found, 'pearson', 'polars-pearson'):.1e} from polars and "
        f"{_difference(found, 'pearson', 'pandas-pearson'):.1e} from pandas,",
        f"Spearman by {_difference(found, 'spearman', 'pandas-spearman'):.1e} from pandas: there ranks are those of "
        "whole columns, of which a pair loses 1 %.",
    ]


def _versions(peers: str) -> dict[str, str]:
    code = "import json, importlib.metadata as m; print(json.dumps({p: m.version(p) for p in %r}))"
    packages = ("numpy", "scipy", "polars", "pandas", "statsmodels")
    done = subprocess.run([peers, "-c", code % (packages,)], check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


if __name__ == "__main__":
    sys.exit(main())
