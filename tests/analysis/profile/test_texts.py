"""Profiles of text: counts, lengths, formats, types."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.columns import Kind, column_of
from analysis.profile.accumulator import profile_column
from analysis.profile.figures import ColumnProfile, TextFigures
from analysis.profile.text_formats import format_of, types_of
from analysis.profile.told import ProfileOptions

UUID = "550e8400-e29b-41d4-a716-446655440000"


def text(profile: ColumnProfile) -> TextFigures:
    assert profile.text is not None
    return profile.text


@given(st.lists(st.one_of(st.none(), st.text(max_size=12)), max_size=50))
def test_text_against_plain_references(rows: list[str | None]) -> None:
    profile = profile_column(column_of("c", rows, Kind.TEXT), ProfileOptions(top=5))
    values, figures = [value for value in rows if value is not None], text(profile)
    assert (profile.nulls, profile.count, profile.distinct) == (rows.count(None), len(values), len(set(values)))
    assert figures.empty == values.count("")
    assert figures.blank == sum(value.isspace() for value in values)
    assert figures.padded == sum(bool(value.strip()) and value != value.strip() for value in values)
    assert figures.non_ascii == sum(not value.isascii() for value in values)
    assert sum(msgspec.structs.astuple(figures.cases)) == len(values)
    assert figures.cases.lower == sum(value.islower() for value in values)
    best = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))[:5]
    assert [(top.value, top.count) for top in profile.top] == best
    if values:
        assert figures.lengths is not None
        lengths = list(map(len, values))
        assert (figures.lengths.min, figures.lengths.max) == (min(lengths), max(lengths))
        assert figures.lengths.mean == pytest.approx(sum(lengths) / len(lengths))
    assert msgspec.json.decode(msgspec.json.encode(profile), type=ColumnProfile) == profile


@pytest.mark.parametrize(
    ("value", "pattern"),
    [
        ("AB-1234", "AA-9999"),
        ("John Smith", "Aaaa A{5}".replace("A{5}", "Aaaaa")),
        ("+49 170 1234567", "+99 999 9{7}"),
        (UUID, "h{8}-hhhh-hhhh-hhhh-h{12}"),
        ("d41d8cd98f00b204e9800998ecf8427e", "h{32}"),
        ("20240131", "9{8}"),
        ("deadbeef", "a{8}"),
        ("Ünïcödé 東京", "Aa{6} ww"),
        ("", ""),
        ("x" * 100, "a{64}…"),
    ],
)
def test_formats(value: str, pattern: str) -> None:
    assert format_of(value) == pattern


@pytest.mark.parametrize(
    ("value", "types"),
    [
        ("42", ("integer", "number")),
        ("-1234567890", ("integer", "number")),
        ("3.14", ("number",)),
        ("1e5", ("number",)),
        ("1e500000", ("number",)),
        (".5", ("number",)),
        ("1.2.3", ()),
        ("٣", ()),
        ("true", ("boolean",)),
        ("False", ("boolean",)),
        ("True.", ()),
        ("2024-02-29", ("date",)),
        ("2023-02-29", ()),
        ("31.12.2023", ("date",)),
        ("12/31/2023", ("date",)),
        ("2024-01-31T12:00:00Z", ("timestamp",)),
        ("2024-01-31 25:00:00", ()),
        ("23:59", ("time",)),
        ("24:60", ()),
        (UUID, ("uuid",)),
        (UUID[:-1] + "g", ()),
        ("ann.lee@example.co.uk", ("email",)),
        ("ann@", ()),
        ("https://example.org/a?b", ("url",)),
        ("192.168.0.1", ("ip",)),
        ("999.168.0.1", ()),
        ("2001:db8::1", ("ip",)),
        ('{"a": 1}', ("json",)),
        ("[1,", ()),
        ("[" * 64, ()),
        ("plain words", ()),
        ("", ()),
    ],
)
def test_types(value: str, types: tuple[str, ...]) -> None:
    assert types_of(value, format_of(value)) == types


def test_the_share_of_a_type_and_of_a_format() -> None:
    figures = text(profile_column(column_of("c", ["12", "7", "7", "x", None])))
    assert figures.types == {"integer": 3, "number": 3}
    assert [(found.value, found.count, found.share) for found in figures.formats] == [
        ("9", 2, 0.5),
        ("99", 1, 0.25),
        ("a", 1, 0.25),
    ]


def test_more_formats_than_are_counted_say_so() -> None:
    values = [f"{'a' * (n % 40 + 1)}{'-' * (n // 40 + 1)}" for n in range(1600)] + ["9"] * 900
    profile = profile_column(column_of("c", values))
    assert profile.basis["formats"] != "exact"
    assert text(profile).formats[0].value == "9"
    assert profile.basis["types"] == "exact"


def test_what_json_cannot_hold_and_what_is_too_long_is_told_all_the_same() -> None:
    profile = profile_column(column_of("c", ["\ud800", "y" * 500]))
    assert {top.value for top in profile.top} == {"?", "y" * 200 + "…"}
    assert msgspec.json.encode(profile)


def test_identifiers_of_text() -> None:
    def reason(name: str, values: list[str]) -> str | None:
        return profile_column(column_of(name, values)).identifier

    assert reason("c", [UUID, UUID[:-1] + "1"]) == "unique, never null, all UUIDs"
    assert reason("c", ["AB-1", "CD-2"]) == "unique, never null, all of the format AA-9"
    assert reason("customer_id", ["x", "yy"]) == "unique, never null, named as an identifier"
    assert reason("c", ["x", "yy"]) is None
    assert reason("customer_id", ["x", "x"]) is None
