"""The whole matrix: methods by roles, statuses for what cannot be measured, and answers that JSON takes."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from scipy import stats

from analysis.associations.matrix import associate
from analysis.associations.results import (
    AssociationMatrix,
    AssociationOptions,
    Correction,
    Method,
    Pair,
    Relation,
    Status,
)
from analysis.columns import Kind, objects
from analysis.frames import Frame, FrameColumn, Role, frame_of

ROWS = 500
EFFECTS = {Status.OK, Status.DUPLICATE, Status.DETERMINISTIC}
METHODS = list(Method)


def planted(rows: int = ROWS, seed: int = 1) -> dict[str, Any]:
    chance = np.random.default_rng(seed)
    shared = chance.normal(size=rows)
    group = chance.integers(0, 4, rows)
    return {
        "x": shared + chance.normal(size=rows),
        "y": shared + chance.normal(size=rows),
        "valley": (shared**2) + 0.1 * chance.normal(size=rows),
        "shared": shared,
        "noise": chance.normal(size=rows),
        "group": [f"g{v}" for v in group],
        "copied": [f"g{v if chance.random() < 0.5 else 0}" for v in group],
        "by group": group + chance.normal(size=rows),
        "flag": chance.random(rows) < 0.5,
        "when": np.datetime64("2026-01-01") + chance.permutation(rows).astype("timedelta64[h]"),
    }


def pair_of(matrix: AssociationMatrix, a: str, b: str) -> Pair:
    return next(pair for pair in matrix.pairs if {pair.a, pair.b} == {a, b})


def statuses(matrix: AssociationMatrix) -> dict[str, Status]:
    return {column.name: column.status for column in matrix.columns}


def plain(matrix: AssociationMatrix) -> Any:
    """As JSON takes it. Raises where something is no plain value; NaN and infinity would become null unnoticed."""
    for pair in matrix.pairs:
        numbers = [pair.effect, pair.low, pair.high, pair.strength, pair.p, pair.q, *pair.figures.values()]
        assert all(type(number) is float and math.isfinite(number) for number in numbers if number is not None), pair
        assert (pair.effect is not None) == (pair.status in EFFECTS), pair
        if pair.effect is not None:
            assert pair.low is not None
            assert pair.high is not None
            assert pair.p is not None
            assert pair.q is not None
            assert -1 <= pair.low <= pair.effect <= pair.high <= 1, pair
            assert 0 <= pair.p <= pair.q <= 1, pair
            assert pair.n <= matrix.rows
    assert len(matrix.pairs) + matrix.pairs_left_out == matrix.pairs_possible
    return msgspec.json.decode(msgspec.json.encode(matrix))


def test_the_method_fits_the_roles_and_planted_pairs_are_found() -> None:
    matrix = associate(frame_of(planted()))
    plain(matrix)
    assert pair_of(matrix, "x", "y").method is Method.SPEARMAN
    assert pair_of(matrix, "group", "by group").method is Method.CORRELATION_RATIO
    assert pair_of(matrix, "group", "copied").method is Method.CRAMERS_V
    assert matrix.pairs_possible == 45
    found = {frozenset((pair.a, pair.b)) for pair in matrix.pairs if pair.q is not None and pair.q <= 0.05}
    expected = {
        ("x", "y"), ("x", "shared"), ("y", "shared"), ("shared", "valley"), ("group", "copied"), ("group", "by group"),
        ("copied", "by group"), ("x", "valley"), ("y", "valley"),
    }  # fmt: skip
    weak = {("x", "valley"), ("y", "valley")}
    assert {frozenset(pair) for pair in expected - weak} <= found <= {frozenset(pair) for pair in expected}
    assert matrix.discoveries == len(found)


def test_what_is_not_monotone_is_measured_by_xi() -> None:
    pair = pair_of(associate(frame_of(planted())), "shared", "valley")
    assert pair.method is Method.XI
    assert pair.remarks
    assert pair.strength is not None
    assert pair.strength > 0.5
    assert abs(pair.figures["spearman"]) < 0.2
    assert {"pearson", "xi_b_of_a", "xi_a_of_b"} <= set(pair.figures)


def test_the_surest_come_first_and_those_without_effect_last() -> None:
    data = planted() | {"constant": [1.0] * ROWS}
    matrix = associate(frame_of(data))
    strengths = [-1.0 if pair.strength is None else pair.strength for pair in matrix.pairs]
    assert strengths == sorted(strengths, reverse=True)
    assert strengths[-1] == -1.0


@pytest.mark.parametrize("method", METHODS)
def test_every_method_answers_and_says_which_columns_it_does_not_take(method: Method) -> None:
    matrix = associate(frame_of(planted()), AssociationOptions(method=method))
    assert plain(matrix)["method"] == method
    numbers = {"x", "y", "valley", "shared", "noise", "by group", "when"}
    categories = {"group", "copied", "flag"}
    taken = {name for name, status in statuses(matrix).items() if status is Status.OK}
    match method:
        case Method.PEARSON | Method.SPEARMAN | Method.KENDALL | Method.XI:
            assert (taken, matrix.pairs_possible) == (numbers, 21)
        case Method.CRAMERS_V | Method.THEILS_U:
            assert (taken, matrix.pairs_possible) == (categories, 3)
        case Method.CORRELATION_RATIO:
            assert (taken, matrix.pairs_possible) == (numbers | categories, 21)
        case _:
            assert (taken, matrix.pairs_possible) == (numbers | categories, 45)
    assert len(matrix.pairs) == matrix.pairs_possible
    assert all(pair.status is Status.OK and pair.test for pair in matrix.pairs)


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_columns_does_not_matter(method: Method) -> None:
    data = planted()
    options = AssociationOptions(method=method)
    turned = associate(frame_of(dict(reversed(data.items()))), options)
    for pair in associate(frame_of(data), options).pairs:
        other = pair_of(turned, pair.a, pair.b)
        assert other.effect == pytest.approx(pair.effect, abs=1e-9)
        assert other.n == pair.n


def test_relations_are_told_apart_from_correlations() -> None:
    chance = np.random.default_rng(2)
    x = chance.normal(size=ROWS)
    city = chance.integers(0, 12, ROWS)
    data: dict[str, Any] = {
        "x": x,
        "again": x.copy(),
        "fahrenheit": 1.8 * x + 32,
        "exponential": np.exp(x),
        "city": [f"city {v}" for v in city],
        "code": [f"C{v}" for v in city],
        "city again": [f"city {v}" for v in city],
        "country": [f"country {v % 3}" for v in city],
        "tax": (city % 3) * 0.1,
        "number": city * 1.0,
    }
    matrix = associate(frame_of(data))
    plain(matrix)
    expected = {
        ("x", "again"): (Status.DUPLICATE, Relation.IDENTICAL),
        ("x", "fahrenheit"): (Status.DETERMINISTIC, Relation.LINEAR),
        ("x", "exponential"): (Status.DETERMINISTIC, Relation.MONOTONE),
        ("city", "code"): (Status.DETERMINISTIC, Relation.ONE_TO_ONE),
        ("city", "city again"): (Status.DUPLICATE, Relation.IDENTICAL),
        ("city", "country"): (Status.DETERMINISTIC, Relation.A_DETERMINES_B),
        ("country", "tax"): (Status.DETERMINISTIC, Relation.A_DETERMINES_B),
        ("country", "number"): (Status.DETERMINISTIC, Relation.B_DETERMINES_A),
        ("city", "x"): (Status.OK, None),
    }
    for (a, b), (status, relation) in expected.items():
        pair = pair_of(matrix, a, b)
        assert (pair.status, pair.relation) == (status, relation), (a, b)


def test_a_relation_that_one_row_breaks_is_a_correlation() -> None:
    data = planted()
    data["almost"] = data["x"].copy()
    data["almost"][7] += 1.0
    pair = pair_of(associate(frame_of(data)), "x", "almost")
    assert (pair.status, pair.relation) == (Status.OK, None)
    assert pair.effect is not None
    assert 0.99 < pair.effect < 1


def test_capped_levels_are_no_dependency() -> None:
    """Rare levels taken together as one look as if each told the other's; the levels themselves do not."""
    chance = np.random.default_rng(3)
    frequent = [f"f{v}" if v < 3 else None for v in chance.integers(0, 4, ROWS)]
    first = [v or f"a{chance.integers(10)}" for v in frequent]
    second = [v or f"b{chance.integers(10)}" for v in frequent]
    matrix = associate(frame_of({"a": first, "b": second}), AssociationOptions(max_levels=3))
    plain(matrix)
    pair = matrix.pairs[0]
    assert pair.effect == pytest.approx(1.0)
    assert len(pair.remarks) == 2
    assert (pair.status, pair.relation) == (Status.OK, None)


def test_kruskal_wallis_ranks_the_rows_that_have_a_category() -> None:
    """Rows without one would shift the ranks of the others: here they are all in the middle."""
    chance = np.random.default_rng(4)
    values = np.round(chance.normal(size=300), 1)
    groups = [None if abs(v) < 0.5 else f"g{i % 3}" for i, v in enumerate(values)]
    pair = associate(frame_of({"x": values, "g": groups})).pairs[0]
    parts = [values[[g == f"g{k}" for g in groups]] for k in range(3)]
    expected = stats.kruskal(*parts)
    assert pair.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert pair.figures["kruskal_wallis_h"] == pytest.approx(expected.statistic, rel=1e-9)
    assert pair.n == sum(map(len, parts))


HONEST: Mapping[str, tuple[dict[str, Any], dict[str, Status]]] = {
    "no columns": ({}, {}),
    "no rows": ({"a": [], "b": []}, {"a": Status.ALL_NULL, "b": Status.ALL_NULL}),
    "one row": ({"a": [1.0], "b": ["x"]}, {"a": Status.TOO_FEW, "b": Status.TOO_FEW}),
    "one column": ({"a": [1.0, 3.0, 2.0, 5.0, 4.5]}, {"a": Status.OK}),
    "all null": ({"a": [None] * 50, "b": list(range(25)) * 2}, {"a": Status.ALL_NULL, "b": Status.OK}),
    "constant": ({"a": [7] * 50, "b": list(range(25)) * 2}, {"a": Status.CONSTANT, "b": Status.OK}),
    "text blobs": (
        {"a": [f"{i} " * 5_000 for i in range(50)], "b": list(range(25)) * 2},
        {"a": Status.IDENTIFIER, "b": Status.OK},
    ),
    "infinities": (
        {"a": [float("inf"), float("-inf"), *np.arange(48.0) % 9], "b": list(range(25)) * 2},
        {"a": Status.OK, "b": Status.OK},
    ),
    "mixed types": (
        {"a": [1, "two", 3.5, None, True] * 10, "b": list(range(25)) * 2},
        {"a": Status.OK, "b": Status.OK},
    ),
    "documents": ({"a": [{"k": 1}] * 50, "b": list(range(25)) * 2}, {"a": Status.UNSUPPORTED, "b": Status.OK}),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", HONEST)
def test_honest_failure(name: str, method: Method) -> None:
    columns, expected = HONEST[name]
    matrix = associate(frame_of(columns), AssociationOptions(method=method))
    plain(matrix)
    for column in matrix.columns:
        assert column.status in (expected[column.name], Status.NOT_APPLICABLE)
        assert (column.reason is None) == (column.status is Status.OK)


def test_a_part_that_fails_leaves_the_rest() -> None:
    data = planted() | {"constant": [1] * ROWS, "nothing": [None] * ROWS, "id": list(range(ROWS))}
    data["early"] = [1.0 * (i % 7) if i < 100 else None for i in range(ROWS)]
    data["late"] = [1.0 * (i % 11) if i >= 100 else None for i in range(ROWS)]
    matrix = associate(frame_of(data))
    plain(matrix)
    assert pair_of(matrix, "early", "late").status is Status.NO_OVERLAP
    assert pair_of(matrix, "x", "constant").status is Status.CONSTANT
    assert pair_of(matrix, "x", "nothing").status is Status.ALL_NULL
    assert pair_of(matrix, "x", "id").status is Status.IDENTIFIER
    alone = associate(frame_of(planted()))
    assert pair_of(matrix, "x", "y").effect == pair_of(alone, "x", "y").effect


def test_few_rows_in_common_are_too_few() -> None:
    left = [float(i) if i < 53 else None for i in range(100)]
    right = [float(i * 7 % 13) if i >= 50 else None for i in range(100)]
    assert pair_of(associate(frame_of({"a": left, "b": right})), "a", "b").status is Status.TOO_FEW


def test_pairs_without_an_effect_are_listed_as_far_as_there_is_room() -> None:
    data = {f"n{i}": np.random.default_rng(i).normal(size=50) for i in range(4)} | {
        f"k{i}": [1.0] * 50 for i in range(6)
    }
    matrix = associate(frame_of(data), AssociationOptions(max_pairs=10))
    plain(matrix)
    assert [pair.status for pair in matrix.pairs] == [Status.OK] * 6 + [Status.CONSTANT] * 4
    assert (matrix.pairs_possible, matrix.pairs_left_out, matrix.tests) == (45, 35, 6)


def test_how_many_rows_were_used_of_how_many() -> None:
    data = planted()
    data["x"][:100] = np.nan
    frame = frame_of(data, total_rows=10_000)
    matrix = associate(frame)
    assert (matrix.rows, matrix.total_rows) == (ROWS, 10_000)
    assert pair_of(matrix, "x", "y").n == ROWS - 100
    assert "500 of 10,000 rows" in matrix.remarks[0]


@pytest.mark.parametrize("method", [Method.KENDALL, Method.XI])
def test_a_sample_is_told(method: Method) -> None:
    frame = frame_of(planted())
    sampled, whole = (associate(frame, AssociationOptions(method=method, sample_rows=rows)) for rows in (200, 500))
    assert all(pair.sampled and pair.n == 200 for pair in sampled.pairs)
    assert not any(pair.sampled for pair in whole.pairs)
    first, second = pair_of(sampled, "x", "shared"), pair_of(whole, "x", "shared")
    assert first.low is not None
    assert first.high is not None
    assert second.effect is not None
    assert first.low <= second.effect <= first.high


def test_a_wider_level_gives_wider_intervals_and_fewer_discoveries() -> None:
    data = planted()
    data["faint"] = 0.25 * data["noise"] + np.random.default_rng(6).normal(size=ROWS)
    usual, strict = (associate(frame_of(data), AssociationOptions(level=level)) for level in (0.95, 0.999999))
    for pair in usual.pairs:
        other = pair_of(strict, pair.a, pair.b)
        assert other.low is not None
        assert pair.low is not None
        assert other.low <= pair.low
    assert strict.discoveries < usual.discoveries


def test_yekutieli_is_stricter_than_hochberg() -> None:
    frame = frame_of(planted())
    bh, by = (associate(frame, AssociationOptions(correction=correction)) for correction in Correction)
    factor = sum(1 / i for i in range(1, 46))
    for pair in bh.pairs:
        q = pair_of(by, pair.a, pair.b).q
        assert pair.q is not None
        assert q == pytest.approx(min(1.0, pair.q * factor), rel=1e-9) or pair.q == 1.0


def test_the_answer_repeats_with_its_seed_and_with_more_threads() -> None:
    frame = frame_of(planted())
    for method in (Method.AUTO, Method.XI, Method.MUTUAL_INFORMATION):
        options = AssociationOptions(method=method, seed=9)
        assert associate(frame, options) == associate(frame, options)
        assert associate(frame, options) == associate(frame, replace(options, threads=2))


@pytest.mark.parametrize("method", [Method.AUTO, Method.PEARSON])
def test_memory_is_at_most_twice_the_data_beside_it(method: Method) -> None:
    rows, chance = 100_000, np.random.default_rng(8)
    numbers = [FrameColumn(f"n{i}", Role.NUMERIC, Kind.FLOAT, chance.normal(size=rows)) for i in range(20)]
    levels = objects([f"v{i}" for i in range(60)])
    categories = [
        FrameColumn(f"c{i}", Role.CATEGORY, Kind.TEXT, chance.integers(-1, 60, rows).astype(np.int32), levels)
        for i in range(2)
    ]
    columns = (*numbers, *categories)
    associate(Frame(columns, rows).take(np.arange(200)), AssociationOptions(method=method))  # imports what it needs
    tracemalloc.start()
    try:
        associate(Frame(columns, rows), AssociationOptions(method=method))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 2 * sum(column.values.nbytes for column in columns)


class CancelledError(Exception):
    pass


def test_it_can_be_stopped_between_any_two_steps() -> None:
    frame = frame_of(planted())
    looks = 0

    def count() -> None:
        nonlocal looks
        looks += 1

    associate(frame, check=count)
    assert looks > 60
    for last in range(1, looks, 7):
        left = last

        def stop() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise CancelledError

        with pytest.raises(CancelledError):
            associate(frame, check=stop)


ONE_BY_ONE = [
    Method.KENDALL, Method.XI, Method.CRAMERS_V, Method.THEILS_U, Method.CORRELATION_RATIO, Method.MUTUAL_INFORMATION
]  # fmt: skip


@pytest.mark.parametrize("method", ONE_BY_ONE)
def test_it_looks_whether_to_stop_at_every_pair_that_is_measured_by_itself(method: Method) -> None:
    looks = 0

    def count() -> None:
        nonlocal looks
        looks += 1

    matrix = associate(frame_of(planted()), AssociationOptions(method=method), check=count)
    assert looks >= len(matrix.columns) + len(matrix.pairs)


@pytest.mark.parametrize("method", [Method.AUTO, *ONE_BY_ONE])
def test_what_was_measured_when_the_time_was_over_is_the_answer(method: Method) -> None:
    """A clock that goes on by a second at every look."""
    frame, looks = frame_of(planted()), itertools.count()
    whole = associate(frame, AssociationOptions(method=method))
    cut = associate(frame, AssociationOptions(method=method, seconds=2.5), now=lambda: float(next(looks)))
    plain(cut)
    assert 0 < len(cut.pairs) < len(whole.pairs)
    assert cut.pairs_out_of_time == len(whole.pairs) - len(cut.pairs)
    assert cut.tests == whole.tests
    for pair in cut.pairs:
        other = pair_of(whole, pair.a, pair.b)
        assert pair.q is not None
        assert other.q is not None
        assert pair.q >= other.q - 1e-12 or pair.method is not other.method


def test_it_tells_how_far_it_is() -> None:
    heard: list[tuple[float, str]] = []
    associate(frame_of(planted()), tell=lambda share, what: heard.append((share, what)))
    shares = [share for share, _ in heard]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert len(heard) >= 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"level": 1.0},
        {"level": 0.4},
        {"max_pairs": 0},
        {"max_levels": 1},
        {"sample_rows": 5},
        {"threads": 0},
        {"seed": -1},
        {"seconds": 0},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AssociationOptions(**wrong)


def test_an_empty_frame() -> None:
    matrix = associate(Frame((), 0))
    assert (matrix.pairs, matrix.columns, matrix.tests, matrix.discoveries) == ((), (), 0, 0)
