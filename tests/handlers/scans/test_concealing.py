"""Profiles of sensitive columns tell how they look, and no value."""

import msgspec

from analysis.columns import Column, Kind, column_of
from analysis.profile.accumulator import profile_column
from analysis.sensitive.classify import classify_name
from handlers.scans.concealing import concealed

FINDINGS = classify_name("social_security_number", Kind.TEXT)


def told(column: Column) -> str:
    assert FINDINGS
    return msgspec.json.encode(concealed(profile_column(column), FINDINGS)).decode()


def test_numbers_and_what_is_computed_of_them_are_left_out() -> None:
    text = told(column_of("ssn", [123456789, 987654321, 123456789]))
    assert not any(digits in text for digits in ("123456789", "987654321", "411522633"))
    assert '"distinct":2' in text
    assert "values are not shown" in text


def test_moments_are_left_out() -> None:
    text = told(column_of("born", ["1980-03-04", "1999-12-31"], Kind.DATE))
    assert "1980" not in text
    assert "1999" not in text
    assert '"granularity":"day"' in text


def test_a_column_without_findings_stays_as_it_is() -> None:
    profile = profile_column(column_of("amount", [1, 2, 3]))
    assert concealed(profile, []) == profile
    assert concealed(profile, [], ["cut"]).notes == [*profile.notes, "cut"]
