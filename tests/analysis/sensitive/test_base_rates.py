"""The base rates that classification weighs values with are those that random values have."""

import random

import pytest
from random_ids import BY_ARITHMETIC, SHAPES, random_id

from analysis.sensitive.classify import DETECTORS
from analysis.sensitive.column_names import evidence_of, words_of
from analysis.sensitive.masking import masked

DRAWS = 4000


@pytest.mark.parametrize("label", SHAPES)
def test_random_values_pass_no_more_often_than_told(label: str) -> None:
    chance = random.Random(3)
    detector = next(detector for detector in DETECTORS if detector.type == label)
    assert detector.check is not None
    passed = sum(detector.check(random_id(chance, label)) for _ in range(DRAWS))
    expected = detector.base_rate * DRAWS
    print(f"seed 3: {label} {passed / DRAWS:.4f}, told {detector.base_rate}")
    assert passed <= expected + 3 * expected**0.5 + 1
    if detector.base_rate >= 0.02:
        assert passed >= expected / 3, "told too high: real columns would be missed"


@pytest.mark.parametrize("label", BY_ARITHMETIC)
def test_what_is_told_is_what_arithmetic_says(label: str) -> None:
    told = next(detector for detector in DETECTORS if detector.type == label).base_rate
    exact, why = BY_ARITHMETIC[label]
    assert exact / 1.12 <= told <= exact * 1.12, why


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("customerEmail_address2", ("customer", "email", "address", "2")),
        ("HTTPServerIP", ("http", "server", "ip")),
        ("E-Mail", ("email",)),
        ("SSN", ("ssn",)),
        ("ccnumber", ("cc", "number")),
        ("", ()),
    ],
)
def test_names_are_read_as_words(name: str, words: tuple[str, ...]) -> None:
    assert words_of(name) == words


def test_what_a_name_says() -> None:
    assert evidence_of("card_number", ("card number",), ("card",)).says == "strong"
    assert evidence_of("card", ("card number",), ("card",)).says == "weak"
    assert evidence_of("discard", ("card number",), ("card",)).says == "nothing"
    against = evidence_of("card_number_verified", ("card number",), ("card",))
    assert (against.says, against.words, against.against) == ("against", ["card", "number"], ["verified"])


def test_a_mask_keeps_the_shape_and_no_character() -> None:
    assert masked("Ann.O'Neil@example.org") == "Xxx.X'Xxxx@xxxxxxx.xxx"
    assert masked("4111-1111") == "9999-9999"
    assert masked("東京\n1") == "xxx9"
    assert masked("k" * 50) == "x" * 40 + "… (50 characters)"
