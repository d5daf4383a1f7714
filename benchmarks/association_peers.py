"""One measurement of a peer, in its own environment: `python -m benchmarks.association_peers TASK FOLDER` prints it."""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.association_data import categories, numbers

FEWER = 100_000  # rows on which definitions are compared


def polars_pearson(folder: Path) -> tuple[float, float, list[float]]:
    polars = import_module("polars")
    frame = polars.DataFrame(numbers(folder)).fill_nan(None)
    names = frame.columns
    wanted = [polars.corr(a, b).alias(f"{a} {b}") for place, a in enumerate(names) for b in names[place + 1 :]]
    began, cpu = time.perf_counter(), time.process_time()
    found = frame.select(wanted).row(0)
    return time.perf_counter() - began, time.process_time() - cpu, list(found)


def pandas_correlations(folder: Path, method: str) -> tuple[float, float, list[float]]:
    pandas = import_module("pandas")
    frame = pandas.DataFrame(numbers(folder))
    began, cpu = time.perf_counter(), time.process_time()
    found = frame.corr(method=method).to_numpy()
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    return wall, cpu, found[np.triu_indices(len(found), 1)].tolist()


def agreement(folder: Path) -> dict[str, Any]:
    """Figures of pandas and statsmodels whose definitions are ours, on fewer rows."""
    pandas = import_module("pandas")
    tables = import_module("statsmodels.stats.contingency_tables")
    oneway = import_module("statsmodels.stats.oneway")
    multitest = import_module("statsmodels.stats.multitest")
    values, codes = numbers(folder, FEWER), categories(folder, FEWER)
    frame = pandas.DataFrame(values)
    upper = np.triu_indices(len(values), 1)
    chi_square, f_test = {}, {}
    names = list(codes)
    for place, a in enumerate(names):
        for b in names[place + 1 :]:
            counts = pandas.crosstab(pandas.Series(codes[a]), pandas.Series(codes[b]))
            counts = counts.loc[counts.index >= 0, counts.columns >= 0]
            if max(counts.shape) <= 50:  # more levels are taken together, which they do not do
                chi_square[f"{a} {b}"] = float(
                    tables.Table(counts, shift_zeros=False).test_nominal_association().statistic
                )
    for a, x in values.items():
        for b, code in codes.items():
            if code.max() < 50:
                both = ~np.isnan(x) & (code >= 0)
                f_test[f"{a} {b}"] = float(oneway.anova_oneway(x[both], code[both], use_var="equal").pvalue)
    p = np.sort(np.random.default_rng(1).random(500) ** 2)
    return {
        "pearson": frame.corr().to_numpy()[upper].tolist(),
        "spearman": frame.corr(method="spearman").to_numpy()[upper].tolist(),
        "chi_square": chi_square,
        "anova": f_test,
        "bh": multitest.multipletests(p, method="fdr_bh")[1].tolist(),
        "by": multitest.multipletests(p, method="fdr_by")[1].tolist(),
    }


def main(task: str, folder: Path) -> dict[str, Any]:
    if task == "agreement":
        return agreement(folder)
    if task == "polars-pearson":
        wall, cpu, answer = polars_pearson(folder)
    else:
        wall, cpu, answer = pandas_correlations(folder, task.removeprefix("pandas-"))
    return {"wall": wall, "cpu": cpu, "answer": answer}


if __name__ == "__main__":
    json.dump(main(sys.argv[1], Path(sys.argv[2])), sys.stdout)
