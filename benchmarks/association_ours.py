"""One measurement of ours, in a process of its own: `python -m benchmarks.association_ours TASK FOLDER` prints it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.association_data import categories, numbers
from benchmarks.association_peers import FEWER
from benchmarks.profile_engines import forget_peak, peak, resident

THREADS = 2


def measured(task: str, folder: Path) -> dict[str, Any]:
    """Time from data in memory to the whole answer, and the memory. `auto` is cold: what it imports is in its time."""
    if task != "auto":
        _matrix(task, numbers(folder, 1_000), {})
    before = resident()
    values, codes = numbers(folder), categories(folder) if task == "auto" else {}
    data = sum(array.nbytes for array in (*values.values(), *codes.values()))
    forget_peak()
    began, cpu = time.perf_counter(), time.process_time()
    matrix = _matrix(task, values, codes)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    effects = {f"{pair.a} {pair.b}": pair.effect for pair in matrix.pairs}
    names = list(values)
    answer = [effects[f"{a} {b}"] for place, a in enumerate(names) for b in names[place + 1 :]] if not codes else []
    return {
        "wall": wall, "cpu": cpu, "data": data, "peak": peak() - before, "pairs": len(matrix.pairs), "answer": answer
    }  # fmt: skip


def _matrix(task: str, values: dict[str, Any], codes: dict[str, Any]) -> Any:
    from analysis.associations.matrix import associate  # noqa: PLC0415 - loading it belongs to a cold answer
    from analysis.associations.results import AssociationOptions, Method  # noqa: PLC0415

    return associate(_frame(values, codes), AssociationOptions(method=Method(task), threads=THREADS))


def _frame(values: dict[str, Any], codes: dict[str, Any]) -> Any:
    from analysis.columns import Kind, objects  # noqa: PLC0415
    from analysis.frames import Frame, FrameColumn, Role  # noqa: PLC0415

    columns = [FrameColumn(name, Role.NUMERIC, Kind.FLOAT, array) for name, array in values.items()]
    columns += [
        FrameColumn(
            name, Role.CATEGORY, Kind.TEXT, array, objects([f"v{code}" for code in range(int(array.max()) + 1)])
        )
        for name, array in codes.items()
    ]
    return Frame(tuple(columns), len(columns[0]))


def agreement(folder: Path) -> dict[str, Any]:
    """The figures that the peers' `agreement` has."""
    from analysis.associations.contingency import chi_square, table_of  # noqa: PLC0415
    from analysis.associations.matrix import associate  # noqa: PLC0415
    from analysis.associations.multiplicity import corrected  # noqa: PLC0415
    from analysis.associations.results import AssociationOptions, Correction, Method  # noqa: PLC0415

    values, codes = numbers(folder, FEWER), categories(folder, FEWER)
    answer: dict[str, Any] = {}
    names = list(values)
    for method in (Method.PEARSON, Method.SPEARMAN):
        matrix = associate(_frame(values, {}), AssociationOptions(method=method))
        effects = {f"{pair.a} {pair.b}": pair.effect for pair in matrix.pairs}
        answer[method.value] = [effects[f"{a} {b}"] for place, a in enumerate(names) for b in names[place + 1 :]]
    mixed = associate(_frame(values, codes), AssociationOptions(method=Method.CORRELATION_RATIO))
    answer["anova"] = {f"{pair.a} {pair.b}": pair.figures["anova_p"] for pair in mixed.pairs}
    answer["chi_square"] = {
        f"{a} {b}": float(chi_square(table_of(x + 1, y + 1, int(x.max()) + 1, int(y.max()) + 1).counts))
        for a, x in codes.items()
        for b, y in codes.items()
    }
    p = np.sort(np.random.default_rng(1).random(500) ** 2)
    for correction in Correction:
        answer[correction.value] = corrected(p, len(p), correction).tolist()
    return answer


if __name__ == "__main__":
    task, folder = sys.argv[1], Path(sys.argv[2])
    json.dump(agreement(folder) if task == "agreement" else measured(task, folder), sys.stdout)
