"""Classification over hundreds of labelled columns, and over single ones where the reasons matter."""

import math
import random
import string
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from labelled_columns import LOOK_ALIKES, TYPES, Labelled, card, completed, digits, email, labelled_columns

from analysis.columns import Column, Kind, column_of
from analysis.sensitive.classify import DETECTORS, classify_column, classify_name, log10_tail
from analysis.sensitive.findings import Category, Finding

# At least: of the columns that are told to be of a type, and of those that are.
PRECISION, RECALL = 0.97, 0.97
EACH_PRECISION, EACH_RECALL = 0.8, 0.8


@pytest.fixture(scope="module", params=[20, 21])
def told(request: pytest.FixtureRequest) -> list[tuple[Labelled, list[Finding]]]:
    """The columns of a seed with what is found in each."""
    print(f"seed {request.param}")
    return [
        (column, classify_column(column_of(column.name, column.values))) for column in labelled_columns(request.param)
    ]


def test_precision_and_recall(told: list[tuple[Labelled, list[Finding]]]) -> None:
    right, wrong, missed = Counter[str](), Counter[str](), Counter[str]()
    for column, findings in told:
        types = [finding.type for finding in findings]
        if column.label is not None:
            (right if column.label in types else missed)[column.label] += 1
        for found in types:
            if found != column.label:
                print(f"wrong: {column.name} ({column.label}) told as {found}")
                wrong[found] += 1
    print(f"{'type':24}{'columns':>8}{'precision':>10}{'recall':>8}")
    for label in sorted(TYPES):
        precision = right[label] / max(right[label] + wrong[label], 1)
        recall = right[label] / (right[label] + missed[label])
        print(f"{label:24}{right[label] + missed[label]:8}{precision:10.2f}{recall:8.2f}")
        assert precision >= EACH_PRECISION, label
        assert recall >= EACH_RECALL, label
    assert right.total() / (right.total() + wrong.total()) >= PRECISION
    assert right.total() / (right.total() + missed.total()) >= RECALL


def test_the_labelled_columns_are_many_and_of_all_types(told: list[tuple[Labelled, list[Finding]]]) -> None:
    assert len(told) > 350
    assert sum(column.label is None for column, _ in told) == 2 * len(LOOK_ALIKES) > 100
    assert set(TYPES) <= {detector.type for detector in DETECTORS}


def test_no_value_is_given_away(told: list[tuple[Labelled, list[Finding]]]) -> None:
    for column, findings in told:
        text = msgspec.json.encode([finding.examples for finding in findings]).decode()
        for value in column.values:
            if isinstance(value, str) and sum(map(str.isalnum, value)) > 3 and set(value) - set("9xX .@-"):
                assert value not in text


def findings_of(name: str, values: list[Any]) -> list[Finding]:
    return classify_column(column_of(name, values))


def only(name: str, values: list[Any]) -> Finding:
    (finding,) = findings_of(name, values)
    return finding


CHANCE = random.Random(7)
CARDS = [card(CHANCE) for _ in range(200)]


def test_cards_are_told_without_a_name_and_the_reasons_with_them() -> None:
    finding = only("col_7", [*CARDS, CARDS[0], None])
    assert (finding.type, finding.category, finding.verdict) == ("credit_card", Category.FINANCIAL, "is")
    assert finding.confidence > 0.99
    assert finding.values is not None
    assert (finding.sampled, finding.rows) == (200, 201)
    assert (finding.values.tested, finding.values.matched, finding.values.base_rate) == (200, 200, 0.0235)
    assert finding.how == (
        "the name says nothing of it (prior 0.01); "
        "200 of 200 different values pass, of random ones 0.0235 (likelihood ratio 1e+9.0)"
    )
    assert set(finding.examples) <= {"9999999999999999", "9999 9999 9999 9999", "999999999999999"}


@pytest.mark.parametrize(
    "maker",
    [
        lambda chance: digits(chance, 16),
        lambda chance: "4" + digits(chance, 15),
        lambda chance: str(1_600_000_000_000 + chance.randrange(10**11)),
    ],
)
def test_random_digits_are_no_cards_even_where_some_pass(maker: Callable[[random.Random], str]) -> None:
    values = [maker(CHANCE) for _ in range(1000)]
    assert findings_of("card", values) == []
    assert findings_of("number", list(map(int, values))) == []


def test_a_name_alone_is_not_enough_where_values_speak_against_it() -> None:
    assert findings_of("card_number", [digits(CHANCE, 16) for _ in range(200)]) == []
    assert findings_of("email", ["yes", "no"]) == []


def test_values_that_fail_weigh_against_the_type() -> None:
    """Of 100 numbers, 70 are valid: 9.5 times likelier each under the type, the others 18 times less likely."""
    valid = [completed(CHANCE, "stdnum.us.rtn", lambda: f"{digits(CHANCE, 8)}?") for _ in range(70)]
    others = [f"{int(value) + 1:09d}" for value in valid[:30]]
    finding = only("routing_number", valid + others)
    assert finding.values is not None
    expected = 70 * math.log10(0.95 / 0.1) + 30 * math.log10(0.05 / 0.9)
    assert finding.values.matched == 70
    assert finding.values.log10_likelihood_ratio == pytest.approx(min(expected, 9), abs=0.01)
    fewer = findings_of("routing_number", valid[:58] + [f"{int(value) + 1:09d}" for value in valid[:42]])
    assert [found.values and found.values.log10_likelihood_ratio for found in fewer] == [
        pytest.approx(58 * math.log10(0.95 / 0.1) + 42 * math.log10(0.05 / 0.9), abs=0.01)
    ]


def test_some_cards_among_other_values_are_contained() -> None:
    finding = only("payload", CARDS[:60] + [f"order {digits(CHANCE, 6)}" for _ in range(140)])
    assert (finding.type, finding.verdict) == ("credit_card", "contains")
    assert finding.how.endswith("too few for a column of it, too many for chance")
    notes = [
        f"paid with {number}, thanks" if n % 3 == 0 else f"call back at {n} tomorrow" for n, number in enumerate(CARDS)
    ]
    assert [(found.type, found.verdict) for found in findings_of("note", notes)] == [("card_in_text", "contains")]


@pytest.mark.parametrize(
    ("passage", "expected"),
    [
        ("call back at u{n}@example.com", "email_in_text"),
        ("https://example.com/?mail=u{n}%40example.com&x=1", "email_in_text"),
        ("sent to DE89 3704 0044 0532 0130 00, order {n}", "iban_in_text"),
        ("the caller, 078-05-1{n:03}, asked for it", "us_ssn_in_text"),
        ("ring +1 212 555 0{n:03} after five", "phone_in_text"),
    ],
)
def test_what_stands_among_other_words_is_found(passage: str, expected: str) -> None:
    texts = [passage.format(n=n) if n % 30 == 0 else f"nothing to say of {n}" for n in range(600)]
    found = only("note", texts)
    assert (found.type, found.verdict) == (expected, "contains")
    assert not any("555" in one or "u30" in one for one in found.examples)


def test_documents_that_name_people_are_found() -> None:
    documents = [f'{{"id": {n}, "who": {{"mail": "u{n}@example.com"}}}}' for n in range(200)]
    column = replace(column_of("payload", documents), kind=Kind.JSON)
    [found] = classify_column(column)
    assert (found.type, found.verdict) == ("email_in_text", "is")


def test_what_only_looks_like_an_address_is_none() -> None:
    for text in ("git@github.com:lab/thing{n}.git", "img/logo{n}@2x.png", "restart getty@tty{n}.service",
                 "react{n}@18.2.0", "order 12-345-6789{n}", "+{n} points", "at 10.0.0.{n} since noon"):  # fmt: skip
        assert findings_of("note", [text.format(n=n) for n in range(300)]) == [], text


def version_of(chance: random.Random) -> str:
    return f"{chance.randrange(1, 12)}.{chance.randrange(20)}.{chance.randrange(10)}.{chance.randrange(256)}"


def address(chance: random.Random) -> str:
    return ".".join(str(chance.randrange(1, 255)) for _ in range(4))


def test_versions_in_four_parts_are_no_addresses() -> None:
    chance = random.Random(11)
    for name in ("version", "app_version", "firmware", "value", "installed", "client_version"):
        assert findings_of(name, [version_of(chance) for _ in range(300)]) == [], name
    # Even such as look like addresses in every way, where the name says what they are.
    assert findings_of("driver_version", [address(chance) for _ in range(300)]) == []


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("seen", ""), ("seen", "192.168."), ("seen", "172.20."), ("client_ip", "10.0."), ("host", "10.0.")],
)
def test_addresses_are_found_without_a_name_and_inner_ones_with(name: str, prefix: str) -> None:
    chance = random.Random(12)
    parts = 4 - prefix.count(".")
    values = [prefix + ".".join(str(chance.randrange(1, 255)) for _ in range(parts)) for _ in range(300)]
    found = only(name, values)
    assert (found.type, found.verdict) == ("ip_address", "is")
    assert found.confidence > 0.9


def test_addresses_among_versions_are_found_all_the_same() -> None:
    chance = random.Random(13)
    mixed = [address(chance) if n % 4 == 0 else version_of(chance) for n in range(400)]
    assert (only("value", mixed).type, only("value", mixed).verdict) == ("ip_address", "contains")


def test_nine_digits_need_a_name_to_be_social_security_numbers() -> None:
    """Nine random digits are valid nine times of ten; those of this list are valid all of them."""
    valid = [
        f"{CHANCE.randrange(100, 600)}{CHANCE.randrange(10, 99)}{CHANCE.randrange(1000, 9999)}" for _ in range(500)
    ]
    assert findings_of("customer", valid) == []
    assert only("ssn", valid).type == "us_ssn"
    assert only("tax_ssn", [f"{value[:3]}-{value[3:5]}-{value[5:]}" for value in valid]).confidence > 0.9


def test_words_count_and_not_letters() -> None:
    values = [digits(CHANCE, 8) for _ in range(50)]
    for name in ("public", "acid_level", "wholesale_panel", "compass_number", "dnipro", "description"):
        assert findings_of(name, values) == []


def test_what_is_about_the_thing_is_not_the_thing() -> None:
    for name in ("email_verified", "password_expires_at", "phone_count", "is_address", "ssn_status"):
        assert classify_name(name, Kind.TEXT) == []
        assert findings_of(name, ["a1", "b2"]) == []


def test_a_name_alone_where_values_may_not_be_read() -> None:
    (finding,) = classify_name("customerEmailAddress", Kind.TEXT)
    assert (finding.type, finding.verdict, finding.confidence, finding.sampled) == ("email", "by name", 0.7, 0)
    assert classify_name("customerEmailAddress", Kind.BOOLEAN) == []
    assert [finding.type for finding in classify_name("base_salary", Kind.FLOAT)] == ["income"]


def test_kinds_of_columns_that_hold_no_text() -> None:
    assert findings_of("email", [True, False]) == []
    assert findings_of("password", [b"abc"]) == []
    assert findings_of("email", []) == []
    assert findings_of("email", [None, None]) == []
    assert only("salary", [1000.5, 2000.0]).type == "income"
    assert only("birth_date", [__import__("datetime").date(1970, 1, 2)]).type == "date_of_birth"


def test_the_same_seed_looks_at_the_same_values() -> None:
    column = column_of("contact", [email(CHANCE) for _ in range(3000)])
    assert classify_column(column, seed=1) == classify_column(column, seed=1)
    (finding,) = classify_column(column, seed=2)
    assert (finding.sampled, finding.rows) == (1000, 3000)


def test_no_value_however_made_takes_long() -> None:
    """Patterns must not backtrack: neither on long runs of what they nearly match, nor on many short ones."""
    alphabets = (
        string.digits,
        string.ascii_letters,
        " ",
        "a.",
        "1-",
        "A1 ",
        "@",
        "é,",
        "DE1",
        "+(",
        "x:/",
        "-----BEGIN ",
    )
    runs = [alphabet * (length // len(alphabet)) + "!" for alphabet in alphabets for length in (16, 40, 80, 20_000)]
    column = Column("email password iban name", Kind.TEXT, column_of("c", runs * 4).values, len(runs) * 4)
    start = time.process_time()
    classify_column(column)
    assert time.process_time() - start < 3


def test_the_tail_is_an_upper_bound() -> None:
    assert log10_tail(100, 2, 0.02) == 0.0
    assert log10_tail(10, 10, 0.1) == pytest.approx(-10)
    assert -8 < log10_tail(100, 20, 0.05) < -5


@pytest.mark.parametrize(
    ("beside", "is_told"),
    [
        ((), True),
        (("airports", "iata", "name", "city", "state", "country", "latitude"), False),
        (("WeatherStations", "id", "latitude"), False),
        # Towns and names do not make it places: people live in towns and have names.
        (("visits", "name", "city", "country", "latitude"), True),
        (("riders", "home_station", "latitude"), True),
        (("airports", "iata", "owner_email", "latitude"), True),
    ],
)
def test_where_a_place_is_is_not_personal(beside: tuple[str, ...], is_told: bool) -> None:
    chance = random.Random(7)
    for name, limit, kind in (("latitude", 90, "latitude"), ("long", 180, "longitude")):
        column = column_of(name, [chance.uniform(-limit, limit) for _ in range(300)])
        assert [finding.type for finding in classify_column(column, beside=beside)] == [kind] * is_told


def test_what_else_stands_beside_places_is_told_as_ever() -> None:
    chance = random.Random(8)
    column = column_of("contact", [email(chance) for _ in range(100)])
    assert [finding.type for finding in classify_column(column, beside=("airports", "iata"))] == ["email"]
