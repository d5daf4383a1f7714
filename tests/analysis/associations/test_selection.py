"""More pairs than are to be computed: the strongest are found, and what is left out is said."""

from __future__ import annotations

import time

import numpy as np
import pytest

from analysis.associations.matrix import associate
from analysis.associations.results import AssociationOptions, Method, Status
from analysis.columns import Array, Kind, objects
from analysis.frames import Frame, FrameColumn, Role, frame_of

ROWS = 400


def planted() -> Frame:
    """120 columns of noise, categories among them, and three pairs that go together."""
    chance = np.random.default_rng(1)
    columns: dict[str, Array | list[str]] = {f"n{i}": chance.normal(size=ROWS) for i in range(80)}
    columns |= {f"c{i}": [f"v{v}" for v in chance.integers(0, 4, ROWS)] for i in range(40)}
    columns["n70"] = np.asarray(columns["n3"]) + chance.normal(size=ROWS)
    columns["c9"] = ["high" if v > 0 else "low" for v in np.asarray(columns["n5"]) + chance.normal(size=ROWS)]
    columns["c30"] = [v if chance.random() < 0.6 else "v0" for v in columns["c2"]]
    return frame_of(columns)


def test_the_strongest_pairs_are_among_those_chosen() -> None:
    matrix = associate(planted(), AssociationOptions(max_pairs=50))
    assert {(pair.a, pair.b) for pair in matrix.pairs[:3]} == {("c2", "c30"), ("n3", "n70"), ("n5", "c9")}
    assert matrix.discoveries >= 3
    assert len(matrix.pairs) == 50
    assert matrix.pairs_possible == 120 * 119 // 2
    assert matrix.pairs_left_out == matrix.pairs_possible - 50
    assert matrix.rule is not None
    assert matrix.rule.startswith("the 50 pairs with the strongest rank correlation in 400 rows")


def test_pairs_that_were_only_looked_at_count_as_tests() -> None:
    """q of a chosen pair is no better than if all had been computed: choosing costs."""
    few, all_pairs = (associate(planted(), AssociationOptions(max_pairs=most)) for most in (50, 10_000))
    assert all_pairs.rule is None
    assert few.tests == all_pairs.tests
    q = {(pair.a, pair.b): pair.q for pair in all_pairs.pairs}
    for pair in few.pairs:
        known = q[pair.a, pair.b]
        assert pair.q is not None
        assert known is not None
        assert pair.q >= known - 1e-12


@pytest.mark.parametrize(
    "method", [Method.PEARSON, Method.CRAMERS_V, Method.CORRELATION_RATIO, Method.MUTUAL_INFORMATION]
)
def test_every_method_chooses_among_the_pairs_it_applies_to(method: Method) -> None:
    matrix = associate(planted(), AssociationOptions(method=method, max_pairs=20))
    possible = {
        Method.PEARSON: 80 * 79 // 2,
        Method.CRAMERS_V: 40 * 39 // 2,
        Method.CORRELATION_RATIO: 80 * 40,
        Method.MUTUAL_INFORMATION: 120 * 119 // 2,
    }
    assert matrix.pairs_possible == possible[method]
    assert len(matrix.pairs) == 20
    assert {pair.method for pair in matrix.pairs} == {method}
    assert {pair.status for pair in matrix.pairs} == {Status.OK}


def test_the_choice_repeats_with_its_seed() -> None:
    frame = planted()
    first, again = (associate(frame, AssociationOptions(max_pairs=30, seed=4)) for _ in range(2))
    assert first == again


def test_ten_thousand_columns_are_answered_in_part() -> None:
    """Numbers, categories, constants: within seconds and a bounded memory, the planted pair first."""
    chance = np.random.default_rng(2)
    levels = objects(["a", "b", "c"])
    columns = (
        [FrameColumn(f"n{i}", Role.NUMERIC, Kind.FLOAT, chance.normal(size=300)) for i in range(8_000)]
        + [
            FrameColumn(f"c{i}", Role.CATEGORY, Kind.TEXT, chance.integers(-1, 3, 300).astype(np.int32), levels)
            for i in range(1_500)
        ]
        + [FrameColumn(f"k{i}", Role.NUMERIC, Kind.FLOAT, np.ones(300)) for i in range(500)]
    )
    columns[7_000] = FrameColumn("copy", Role.NUMERIC, Kind.FLOAT, columns[12].values + 0.2 * chance.normal(size=300))
    began = time.process_time()
    matrix = associate(Frame(tuple(columns), 300), AssociationOptions(max_pairs=500))
    seconds = time.process_time() - began
    assert {matrix.pairs[0].a, matrix.pairs[0].b} == {"n12", "copy"}
    assert matrix.discoveries == 1
    assert matrix.pairs_possible == 10_000 * 9_999 // 2
    assert matrix.tests == 9_500 * 9_499 // 2
    assert len(matrix.pairs) == 500
    assert len(matrix.columns) == 10_000
    assert seconds < 30, f"{seconds:.1f} s of processor time"
