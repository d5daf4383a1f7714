"""The answer as a whole: honest about bad data, bounded, cancellable, the same each time, and fit for JSON."""

from __future__ import annotations

import datetime
import itertools
import math
import re
from typing import Any

import msgspec
import numpy as np
import pytest

from analysis.frames import frame_of
from analysis.insights.discover import find_insights
from analysis.insights.findings import Insights
from analysis.insights.options import InsightOptions
from analysis.insights.registry import FAMILIES, Family
from analysis.insights.subjects import Subjects
from analysis.insights.trials import Trials
from benchmarks.insights_data import PLANTS

RNG = np.random.default_rng(0)

BAD: dict[str, dict[str, Any]] = {
    "no columns": {},
    "no rows": {"a": [], "b": []},
    "one row": {"a": [1.0], "b": ["x"]},
    "all null": {"a": [None] * 50, "b": [None] * 50},
    "constant": {"a": [7.0] * 60, "b": ["x"] * 60, "t": [datetime.datetime(2024, 1, 1)] * 60},  # noqa: DTZ001
    "infinities": {"a": [math.inf, -math.inf, 1.0, 2.0] * 30, "b": list(range(120))},
    "huge": {"a": [1e308, -1e308, 5e307, 0.0] * 30, "b": [1e-308, 2e-308, 0.0, 3e-308] * 30},
    "mixed": {"a": [1, "x", None, 2.5, True] * 20, "b": [{"k": 1}, [2], None, b"x", "y"] * 20},
    "long texts": {"a": ["lorem ipsum " * 500 + str(row) for row in range(60)], "b": list(range(60))},
    "strange names": {
        "": RNG.standard_normal(60),
        'a"b\n': RNG.standard_normal(60),
        "ü–日本": ["\ud800", "é", ""] * 20,
    },
    "two rows": {"a": [1.0, 2.0], "b": ["x", "y"]},
    "far dates": {
        "t": np.array(["0001-01-01", "9999-12-31", "2024-01-01"] * 40, dtype="datetime64[us]"),
        "a": list(range(120)),
    },
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_give_an_answer_with_a_status(case: str) -> None:
    found = find_insights(frame_of(BAD[case]), InsightOptions(now=datetime.datetime(2025, 1, 1)))  # noqa: DTZ001
    assert found.parts
    assert [part.detail for part in found.parts if part.status == "failed"] == []
    well_formed(found)


def well_formed(found: Insights) -> None:
    """No NaN, no numpy, nothing that JSON lacks; sentences that read well."""
    again = msgspec.json.decode(msgspec.json.encode(found), type=Insights)
    assert again == found
    for insight in found.insights:
        assert 0.0 <= insight.score <= 1.0
        assert 0.0 <= insight.impact <= 1.0
        assert (insight.p is None) == (insight.q is None)
        assert insight.sentence.endswith(".")
        assert not re.search(r"\bnan\b|\binf\b|None|\b1 (rows|values|steps|cycles)\b", insight.sentence, re.IGNORECASE)
        assert "  " not in insight.sentence
        assert "\n" not in insight.sentence
        for number in insight.numbers.values():
            assert not isinstance(number.value, float) or math.isfinite(number.value)


def test_answers_repeat_and_their_ids_stay_when_rows_are_added() -> None:
    made = PLANTS["trend"](np.random.default_rng(1), 2)
    once, again = (find_insights(made.frame, made.options) for _ in range(2))
    assert msgspec.json.encode(once) == msgspec.json.encode(again)
    most = made.frame.take(np.arange(made.frame.rows - 10))
    fewer = find_insights(most, made.options)
    assert {i.id for i in once.insights if i.type == "trend"} == {i.id for i in fewer.insights if i.type == "trend"}


def test_the_count_of_what_was_tried_is_told() -> None:
    made = PLANTS["correlation"](np.random.default_rng(1), 2)
    found = find_insights(made.frame, made.options)
    assert found.tests_performed == sum(part.tests for part in found.parts)
    assert found.discoveries >= 1
    insight = next(insight for insight in found.insights if insight.type == "correlation")
    assert insight.p is not None
    assert insight.q is not None
    assert insight.p <= insight.q <= found.level
    assert insight.score == pytest.approx(insight.impact * insight.significance)
    assert insight.n == made.frame.rows


def test_whole_numbers_that_are_years_are_the_time() -> None:
    values = 2.0 * np.arange(60) + np.random.default_rng(1).standard_normal(60)
    found = find_insights(frame_of({"fiscal_year": 1950 + np.arange(60), "output": values}))
    (trend,) = [insight for insight in found.insights if insight.type == "trend"]
    assert "from 1950 to 2009" in trend.sentence
    shown = 'SELECT "fiscal_year", AVG("output") AS "avg of output" FROM "data"'
    assert trend.query.sql.startswith(f'{shown} GROUP BY "fiscal_year" ORDER BY "fiscal_year"')
    assert {insight.type for insight in found.insights} <= {"trend", "likely_key"}


def test_types_can_be_chosen() -> None:
    made = PLANTS["sentinel"](np.random.default_rng(1), 2)
    only = find_insights(made.frame, InsightOptions(types=frozenset({"sentinel"})))
    assert {insight.type for insight in only.insights} == {"sentinel"}
    assert len([part for part in only.parts if part.part in ("correlations", "keys")]) == 0


def test_a_search_out_of_time_tells_what_it_has() -> None:
    ticks = itertools.count()
    made = PLANTS["null_stand_in"](np.random.default_rng(1), 2)
    found = find_insights(made.frame, InsightOptions(seconds=5, clock=lambda: float(next(ticks))))
    assert not found.complete
    assert "budget" in {part.status for part in found.parts}
    assert "null_stand_in" in {insight.type for insight in found.insights}


def test_a_search_is_cancelled_between_steps() -> None:
    calls = itertools.count()

    def check() -> None:
        if next(calls) == 3:
            raise InterruptedError

    made = PLANTS["trend"](np.random.default_rng(1), 2)
    with pytest.raises(InterruptedError):
        find_insights(made.frame, made.options, check=check)


def test_a_family_that_fails_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_subjects: Subjects, _trials: Trials) -> None:
        raise ValueError("no such thing")

    families = [Family("broken", broken, {"broken": ""}), *FAMILIES]
    monkeypatch.setattr("analysis.insights.discover.FAMILIES", families)
    made = PLANTS["sentinel"](np.random.default_rng(1), 2)
    found = find_insights(made.frame, made.options)
    assert "sentinel" in {insight.type for insight in found.insights}
    assert [(part.part, part.detail) for part in found.parts if part.status == "failed"] == [
        ("broken", "ValueError: no such thing")
    ]
    assert not found.complete


def test_progress_rises_to_one() -> None:
    told: list[float] = []
    made = PLANTS["trend"](np.random.default_rng(1), 2)
    find_insights(made.frame, made.options, tell=lambda share, _: told.append(share))
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_ten_thousand_columns_are_answered_in_part() -> None:
    frame = frame_of({f"x{number}": np.random.default_rng(number).standard_normal(60) for number in range(10_000)})
    found = find_insights(frame)
    assert not found.complete
    assert any(part.status == "budget" and "left out" in part.detail for part in found.parts)
    assert found.tests_performed > 1_000


def test_a_sample_is_told_as_one() -> None:
    frame = frame_of({"id": np.arange(100), "x": np.random.default_rng(1).standard_normal(100)}, total_rows=5_000)
    found = find_insights(frame)
    assert found.sampled
    key = next(insight for insight in found.insights if insight.type == "likely_key")
    assert "of the sample" in key.sentence
    assert (key.n, key.of) == (100, 5_000)


def test_one_fact_seen_in_many_measures_is_one_insight() -> None:
    rng = np.random.default_rng(4)
    by = np.where(rng.random(2_000) < 0.8, "big", np.where(rng.random(2_000) < 0.5, "a", "b")).astype(object)
    frame = frame_of({"by": by} | {f"m{number}": rng.uniform(5, 10, 2_000) for number in range(5)})
    found = find_insights(frame)
    majorities = [insight for insight in found.insights if insight.type in ("majority", "attribution")]
    assert [insight.type for insight in majorities] == ["majority"]
    assert {also.type for also in majorities[0].also} == {"attribution"}


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="level"):
        InsightOptions(level=0.0)
    with pytest.raises(ValueError, match="at least one"):
        InsightOptions(limit=0)
