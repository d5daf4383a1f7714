"""What is told by counting: what looks suspicious, and what only resembles it and is left alone."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pytest

from analysis.columns import Array, column_of
from analysis.frames import frame_of
from analysis.insights.discover import find_insights
from analysis.insights.findings import Insight
from analysis.insights.options import InsightOptions
from analysis.insights.suspicious_texts import plain_form
from analysis.profile.accumulator import profile_table

RNG = np.random.default_rng(12)
ROWS = 400


def insights(columns: dict[str, Any], *types: str, **options: Any) -> list[Insight]:
    return find_insights(frame_of(columns), InsightOptions(types=frozenset(types), **options)).insights


KEYS: dict[str, Any] = {
    "sequence": np.arange(ROWS) + 7,
    "spread": np.random.default_rng(1).choice(5_000, ROWS, replace=False),
    "uuid": [f"{row:08x}-0000-4000-8000-{row:012x}" for row in range(ROWS)],
    "code": [f"KL-{row:05d}" for row in range(ROWS)],
    "order_id": np.random.default_rng(1).choice(10**9, ROWS, replace=False),
}
NO_KEYS: dict[str, Any] = {
    "measured": RNG.standard_normal(ROWS),
    "large amounts that merely differ": RNG.choice(10**9, ROWS, replace=False),
    "names": [f"{'abcdefghij'[row % 10] * (1 + row // 10)} text" for row in range(ROWS)],
    "repeated": RNG.integers(0, 100, ROWS),
    "moments": np.datetime64("2024-01-01") + np.arange(ROWS).astype("timedelta64[s]"),
}


@pytest.mark.parametrize("name", KEYS)
def test_keys(name: str) -> None:
    rng = np.random.default_rng(12)
    assert [i.columns for i in insights({name: KEYS[name], "x": rng.standard_normal(ROWS)}, "likely_key")] == [[name]]


@pytest.mark.parametrize("name", NO_KEYS)
def test_columns_that_merely_differ_are_no_keys(name: str) -> None:
    rng = np.random.default_rng(12)
    assert insights({name: NO_KEYS[name], "x": rng.standard_normal(ROWS)}, "likely_key", "broken_key") == []


def test_a_broken_key_says_how_many_rows_break_it() -> None:
    keys = [*KEYS["code"][:-3], None, KEYS["code"][0], KEYS["code"][0]]
    (found,) = insights({"customer_id": keys}, "broken_key")
    assert found.numbers["repeated_or_null"].value == 3
    assert "3 rows of 400 rows repeat another or are null" in found.sentence


def with_value(value: float, rows: int, rest: Array) -> Array:
    values = rest.astype(np.float64)
    values[:rows] = value
    return values


def test_sentinels_lie_apart_and_repeat() -> None:
    rng = np.random.default_rng(12)
    (found,) = insights({"age": with_value(-999, 20, rng.uniform(18, 80, ROWS))}, "sentinel")
    assert found.numbers["value"].value == -999
    assert found.numbers["rows"].value == 20
    assert found.p is None
    mean = found.numbers["mean_without"].value
    assert isinstance(mean, float)
    assert 40 < mean < 60


@pytest.mark.parametrize(
    "values",
    [
        with_value(-1, 20, RNG.normal(0, 5, ROWS)),  # among the others
        with_value(99, 20, RNG.uniform(50, 150, ROWS)),
        with_value(-999, 2, RNG.uniform(18, 80, ROWS)),  # too few to be a habit
        with_value(-1, 20, RNG.choice([0.0, 1.0, 2.0], ROWS)) * 0 + RNG.choice([0.0, 1.0], ROWS),
    ],
)
def test_values_among_the_others_are_no_sentinels(values: Array) -> None:
    assert insights({"x": values}, "sentinel") == []


def test_sentinel_days_and_future_days() -> None:
    rng = np.random.default_rng(12)
    stamps = np.datetime64("2023-01-01", "us") + rng.integers(0, 600, ROWS).astype("timedelta64[D]")
    stamps[:9], stamps[9] = np.datetime64("1900-01-01"), np.datetime64("2062-01-01")
    now = datetime.datetime(2025, 1, 1)  # noqa: DTZ001
    found = insights({"day": stamps}, "sentinel", "future_dates", now=now)
    assert {i.type: i.numbers["rows"].value for i in found} == {"sentinel": 9, "future_dates": 1}
    assert "1 date in day is in the future, up to 2062-01-01" in "".join(i.sentence for i in found)


def test_plans_are_not_suspicious_for_being_in_the_future() -> None:
    rng = np.random.default_rng(12)
    stamps = np.datetime64("2024-06-01", "us") + rng.integers(0, 600, ROWS).astype("timedelta64[D]")
    assert insights({"due": stamps}, "future_dates", now=datetime.datetime(2025, 1, 1)) == []  # noqa: DTZ001


def test_spellings_of_one_value() -> None:
    rng = np.random.default_rng(12)
    cities = np.array(["Zürich", "Bern", "Basel"], dtype=object)[rng.integers(0, 3, ROWS)]
    cities[:4] = ["zurich", "ZÜRICH ", "Zürich.", "bern"]
    (found,) = insights({"city": cities}, "spelling_variants")
    assert found.numbers["rows"].value == 4
    assert found.numbers["spellings"].value == 6
    assert plain_form("  São-Paulo. ") == plain_form("sao paulo")


def test_codes_and_free_text_are_left_alone() -> None:
    rng = np.random.default_rng(12)
    columns: dict[str, Any] = {
        "zip": [f"0{number:04d}" for number in rng.integers(0, 9_999, ROWS)],  # leading zeros: no numbers
        "word": [f"Word {number}" for number in range(ROWS)],
        "Word": [f"WORD {number}" if number % 2 else f"word {number - 1}" for number in range(ROWS)],  # unique anyway
    }
    assert insights(columns, "numbers_as_text", "null_stand_in", "spelling_variants") == []


def test_a_column_that_says_nothing_else_has_no_stand_ins() -> None:
    rng = np.random.default_rng(12)
    assert insights({"x": ["none"] * ROWS, "y": rng.standard_normal(ROWS)}, "null_stand_in") == []


@pytest.mark.parametrize("names", [("A", "A-", "B", "B-"), ("inf", "-inf", "1.5"), ("O+", "O-", "O")])
def test_a_minus_is_no_way_to_write_something_else(names: tuple[str, ...]) -> None:
    rng = np.random.default_rng(12)
    marks = np.array(names, dtype=object)[rng.integers(0, len(names), ROWS)]
    assert insights({"grade": marks}, "spelling_variants") == []


def test_codes_of_states_are_no_stand_ins() -> None:
    rng = np.random.default_rng(12)
    states = np.array(["CA", "ND", "NY", "NA"], dtype=object)[rng.integers(0, 4, ROWS)]
    answers = np.array(["yes", "no", "NA"], dtype=object)[rng.integers(0, 3, ROWS)]
    assert [i.columns for i in insights({"state": states, "answer": answers}, "null_stand_in")] == [["answer"]]


def test_benford_only_where_it_applies() -> None:
    rng = np.random.default_rng(12)
    narrow = rng.normal(500, 30, 2_000)  # people's heights do not follow the law
    wide = rng.lognormal(5, 2, 2_000)
    assert insights({"narrow": narrow, "wide": wide}, "not_benford") == []


def test_heaping_is_no_matter_of_steps_of_five() -> None:
    """Prices in steps of 5 are not rounded by people."""
    rng = np.random.default_rng(12)
    columns = {"price": rng.integers(1, 400, 2_000) * 5, "any": rng.integers(1, 2_000, 2_000)}
    assert insights(columns, "digit_heaping") == []


def test_drift_tells_figures_beside_chance() -> None:
    rng = np.random.default_rng(3)
    letters = list("abc")
    before = profile_table([column_of("x", rng.normal(0, 1, 3_000)), column_of("k", list(rng.choice(letters, 3_000)))])
    now = {"x": rng.normal(1, 1, 2_000), "k": list(rng.choice(letters, 2_000, p=[0.7, 0.2, 0.1]))}
    found = {i.columns[0]: i for i in insights(now, "drift", reference=before, reference_label="last month's profile")}
    assert set(found) == {"x", "k"}
    psi, chance = found["x"].numbers["psi"].value, found["x"].numbers["psi_by_chance"].value
    assert isinstance(psi, float)
    assert isinstance(chance, float)
    assert 0.6 < psi < 1.4  # the shift of a normal distribution by its deviation has 1
    assert chance < 0.02
    moved = found["x"].numbers["wasserstein_over_deviation"].value
    assert isinstance(moved, float)
    assert moved == pytest.approx(1.0, abs=0.15)
    assert found["x"].numbers["kolmogorov_smirnov"].value == pytest.approx(0.38, abs=0.05)
    assert "last month's profile" in found["x"].sentence
    assert "“a”" in found["k"].sentence


def test_small_tables_drift_by_chance_and_that_is_known() -> None:
    """PSI above a tenth, which a rule of thumb would tell, in tables of 60 rows from one distribution."""
    rng = np.random.default_rng(4)
    alarms = 0
    for _ in range(60):
        before = profile_table([column_of("x", rng.lognormal(0, 1, 60))])
        alarms += bool(insights({"x": rng.lognormal(0, 1, 60)}, "drift", reference=before))
    assert alarms <= 7


def test_rows_are_explained_by_their_columns() -> None:
    rng = np.random.default_rng(12)
    values = rng.standard_normal((1_000, 5))
    values[[77, 300, 600], :3] = [[5.0, -5.0, 5.0], [4.6, 4.5, -4.7], [-4.5, 4.6, 4.7]]
    (found,) = insights({f"v{place}": values[:, place] for place in range(5)}, "row_outliers")
    assert found.numbers["rows"].value == 3
    assert found.numbers["furthest_row"].value in (78, 301, 601)
    assert set(found.columns) == {"v0", "v1", "v2"}
    shares = [found.numbers[f"contribution of v{place}"].value for place in range(3)]
    assert all(isinstance(share, float) and 0.2 < share < 0.5 for share in shares)
