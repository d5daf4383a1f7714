"""Profiles of sensitive columns tell how they look, and no value."""

from dataclasses import replace

import msgspec

from analysis.columns import Column, Kind, column_of
from analysis.profile.accumulator import profile_column
from analysis.sensitive.classify import classify_name
from handlers.scans.concealing import concealed
from handlers.scans.cut_values import told_as_cut

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


def test_the_beginning_of_a_long_document_is_not_called_an_invalid_one() -> None:
    documents = ['{"a": 1}', "no document", '{"a": "' + "x" * 50, '["' + "x" * 50]
    profile = profile_column(replace(column_of("payload", documents), kind=Kind.JSON))
    assert profile.documents is not None
    assert profile.documents.types == {"invalid": 3, "object": 1}
    told_of = told_as_cut(profile, cut=2, limit=57)
    assert told_of.documents is not None
    assert told_of.documents.types == {"invalid": 1, "large": 2, "object": 1}
    assert told_of.notes[-1] == "2 values are longer than 57 characters; only their beginnings were looked at"
    assert told_as_cut(profile, cut=0, limit=57) == profile
