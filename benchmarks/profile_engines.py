"""One measurement in a process of its own: `python -m benchmarks.profile_engines ENGINE FOLDER` prints its figures."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import math
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.profile_data import COLUMNS

SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS, TOP = 50, 10
Answer = list[dict[str, Any]]


def resident() -> int:
    """Bytes, now."""
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * resource.getpagesize()


def peak() -> int:
    """Bytes, the most since `forget_peak`."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def arrays(folder: Path) -> Iterator[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    for number in range(COLUMNS):
        yield np.load(folder / f"values-{number}.npy"), np.load(folder / f"nulls-{number}.npy")


def ours(folder: Path, threads: int) -> tuple[Callable[[], Any], Callable[[Any], Answer]]:
    from analysis.columns import Kind, column_of_stretch  # noqa: PLC0415 - each process loads its own engine
    from analysis.profile.accumulator import profile_table  # noqa: PLC0415
    from analysis.profile.told import ProfileOptions  # noqa: PLC0415

    data = list(arrays(folder))
    options = ProfileOptions(quantiles=SHARES, bins=BINS, top=TOP)

    def run() -> Any:
        columns = (
            column_of_stretch(str(number), Kind.FLOAT, values, nulls) for number, (values, nulls) in enumerate(data)
        )
        return profile_table(columns, options, threads=threads)

    def answer(profile: Any) -> Answer:
        return [
            {
                "count": column.count,
                "nulls": column.nulls,
                "distinct": column.distinct,
                **{key: getattr(column.numbers, key) for key in ("min", "max", "mean", "std", "sum")},
                **{key: getattr(column.numbers, key) for key in ("skewness", "kurtosis", "zeros", "negatives")},
                "quantiles": [quantile.value for quantile in column.numbers.quantiles],
                "top": [[top.value, top.count] for top in column.top],
                "bins": column.numbers.histogram.counts,
            }
            for column in profile.columns
        ]

    return run, answer


def polars(folder: Path, *, sort_first: bool) -> tuple[Callable[[], Any], Callable[[Any], Answer]]:
    import polars as pl  # noqa: PLC0415

    frame = pl.DataFrame(
        [pl.Series(str(n), values).set(pl.Series(nulls), None) for n, (values, nulls) in enumerate(arrays(folder))]
    )

    def run() -> Any:
        source = (
            pl.concat([frame.select(pl.col(name).sort()) for name in frame.columns], how="horizontal")
            if sort_first
            else frame
        )
        scalars = []
        for name in frame.columns:
            column = pl.col(name)
            made = {
                "count": column.count(),
                "nulls": column.null_count(),
                "distinct": column.drop_nulls().n_unique(),
                "min": column.min(),
                "max": column.max(),
                "mean": column.mean(),
                "std": column.std(),
                "sum": column.sum(),
                "skewness": column.skew(),
                "kurtosis": column.kurtosis(),
                "zeros": (column == 0).sum(),
                "negatives": (column < 0).sum(),
                **{f"q{share}": column.quantile(share, interpolation="equiprobable") for share in SHARES},
            }
            scalars += [expression.alias(f"{name}/{key}") for key, expression in made.items()]
        single = source.lazy().select(scalars).collect().row(0, named=True)
        tops = [
            source.lazy()
            .select(pl.col(name).drop_nulls().value_counts().struct.unnest())
            .top_k(TOP, by="count")
            .collect()
            for name in frame.columns
        ]
        bins = [source[name].drop_nulls().hist(bin_count=BINS)["count"].to_list() for name in frame.columns]
        return single, tops, bins

    def answer(result: Any) -> Answer:
        single, tops, bins = result
        scalars = (
            "count",
            "nulls",
            "distinct",
            "min",
            "max",
            "mean",
            "std",
            "sum",
            "skewness",
            "kurtosis",
            "zeros",
            "negatives",
        )
        return [
            {
                **{key: single[f"{name}/{key}"] for key in scalars},
                "quantiles": [single[f"{name}/q{share}"] for share in SHARES],
                "top": [list(row) for row in tops[place].rows()],
                "bins": bins[place],
            }
            for place, name in enumerate(frame.columns)
        ]

    return run, answer


def duckdb(folder: Path) -> tuple[Callable[[], Any], Callable[[Any], Answer]]:
    import duckdb as engine  # noqa: PLC0415

    connection = engine.connect(config={"threads": 2})
    for number, (values, nulls) in enumerate(arrays(folder)):
        connection.register("loaded", {"v": values, "n": nulls})
        connection.execute(f"CREATE TABLE c{number} AS SELECT CASE WHEN NOT n THEN v END AS v FROM loaded")
        connection.unregister("loaded")

    def run() -> Any:
        found = []
        for number in range(COLUMNS):
            scalars = connection.execute(
                f"SELECT count(v), count(*) - count(v), count(DISTINCT v), min(v), max(v), avg(v), stddev_samp(v), "
                f"sum(v), "
                f"skewness(v), kurtosis_pop(v), count(*) FILTER (v = 0), count(*) FILTER (v < 0), "
                f"quantile_disc(v, {list(SHARES)}) FROM c{number}"
            ).fetchone()
            top = connection.execute(
                f"SELECT v, count(*) AS n FROM c{number} WHERE v IS NOT NULL GROUP BY v ORDER BY n DESC, v LIMIT {TOP}"
            ).fetchall()
            assert scalars is not None
            low, high = scalars[3], scalars[4]
            bins = connection.execute(
                f"SELECT least(floor((v - ?) / (? - ?) * {BINS}), {BINS - 1})::INTEGER AS b, count(*) FROM c{number} "
                "WHERE v IS NOT NULL GROUP BY b ORDER BY b",
                [low, high, low],
            ).fetchall()
            found.append((scalars, top, bins))
        return found

    def answer(result: Any) -> Answer:
        keys = ("count", "nulls", "distinct", "min", "max", "mean", "std", "sum")
        return [
            {
                **dict(zip(keys, scalars[:8], strict=True)),
                # DuckDB's skewness is that of a sample; the population's is told by all others.
                "skewness": scalars[8] * (scalars[0] - 2) / math.sqrt(scalars[0] * (scalars[0] - 1)),
                "kurtosis": scalars[9],
                "zeros": scalars[10],
                "negatives": scalars[11],
                "quantiles": scalars[12],
                "top": [list(row) for row in top],
                "bins": [dict(bins).get(place, 0) for place in range(BINS)],
            }
            for scalars, top, bins in result
        ]

    return run, answer


def largest_difference(one: Answer, other: Answer) -> float:
    """The largest relative difference of the figures that rounding touches; the others have to be equal."""
    worst = 0.0
    for mine, theirs in zip(one, other, strict=True):
        for key in ("count", "nulls", "distinct", "min", "max", "zeros", "negatives", "quantiles"):
            assert mine[key] == theirs[key], (key, mine[key], theirs[key])
        assert sorted(count for _, count in mine["top"]) == sorted(count for _, count in theirs["top"])
        assert sum(mine["bins"]) == sum(theirs["bins"])
        # A value on an edge goes to its other side in polars: only columns without such can be compared.
        if mine["distinct"] == mine["count"]:
            assert mine["bins"] == theirs["bins"]
        for key in ("mean", "std", "sum", "skewness", "kurtosis"):
            scale = max(abs(mine["std"]), abs(mine["mean"])) * (mine["count"] if key == "sum" else 1)
            worst = max(
                worst, abs(mine[key] - theirs[key]) / max(abs(mine[key]), scale if key in ("mean", "sum") else 1)
            )
    return worst


async def large(folder: Path, *, one_by_one: bool) -> dict[str, Any]:
    from analysis.columns import Column, Kind, column_of_stretch  # noqa: PLC0415
    from analysis.profile.accumulator import ColumnAccumulator, TableAccumulator, table_profile  # noqa: PLC0415
    from connectors.datasets import ColumnValues, DatasetRef  # noqa: PLC0415
    from connectors.opening import open_connector  # noqa: PLC0415
    from connectors.settings import SourceLimits, SourceSettings  # noqa: PLC0415

    def column(name: str, values: ColumnValues) -> Column:
        told = str(values.logical_type)
        kind = Kind.FLOAT if told in ("number", "decimal") else Kind(told)
        return column_of_stretch(name, kind, values.values, values.nulls)

    limits = SourceLimits(memory_bytes=256 * 2**20, row_cap=20_000_000, statement_seconds=3600)
    settings = SourceSettings(path=folder / "large", roots=(folder,), limits=limits)
    async with await open_connector("files", settings) as source:
        (dataset,) = await source.list_datasets()
        ref: DatasetRef = dataset.ref
        names = [found.name for found in (await source.describe(ref)).columns]
        if not one_by_one:
            table = TableAccumulator()
            async for batch in source.fetch(ref):
                table.add([column(name, values) for name, values in batch.columns.items()])
            profile = table.profile()
        else:
            # Ten million different texts do not fit; every other column does, one at a time.
            profiles = []
            for name in names:
                accumulator: ColumnAccumulator | None = None
                async for batch in source.fetch(ref, [name]):
                    part = column(name, batch.columns[name])
                    accumulator = accumulator or ColumnAccumulator(name, part.kind, 256 * 2**20)
                    accumulator.add(part)
                assert accumulator is not None
                profiles.append(accumulator.profile())
            profile = table_profile(profiles[0].rows, profiles)
    sketched = [column.name for column in profile.columns if any(basis != "exact" for basis in column.basis.values())]
    return {"columns": len(profile.columns), "rows": profile.rows, "sketched": ", ".join(sketched) or "none"}


def main(engine: str, folder: Path) -> None:
    if engine.startswith("large"):
        start, cpu = time.perf_counter(), time.process_time()
        found = asyncio.run(large(folder, one_by_one=engine == "large-columns"))
        figures = {"wall": time.perf_counter() - start, "cpu": time.process_time() - cpu, "peak": peak(), **found}
        print(json.dumps(figures))
        return
    makers: dict[str, Callable[[], tuple[Callable[[], Any], Callable[[Any], Answer]]]] = {
        "ours": lambda: ours(folder, threads=2),
        "ours-1": lambda: ours(folder, threads=1),
        "polars": lambda: polars(folder, sort_first=False),
        "polars-sorted": lambda: polars(folder, sort_first=True),
        "duckdb": lambda: duckdb(folder),
    }
    _warm(engine)
    before = resident()
    run, answer = makers[engine]()
    loaded = resident()
    forget_peak()
    start, cpu = time.perf_counter(), time.process_time()
    result = run()
    wall, used = time.perf_counter() - start, time.process_time() - cpu
    print(
        json.dumps(
            {"wall": wall, "cpu": used, "peak": peak(), "before": before, "loaded": loaded, "answer": answer(result)}
        )
    )


def _warm(engine: str) -> None:
    """Load the libraries before what is resident is looked at."""
    if engine.startswith("ours"):
        importlib.import_module("analysis.profile.accumulator")
    elif engine.startswith("polars"):
        import polars as pl  # noqa: PLC0415

        pl.Series([1.0]).value_counts()
    else:
        import duckdb as engine_module  # noqa: PLC0415

        engine_module.connect().close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
