"""The base rates that classification weighs values with are those that random values have."""

import random
import string
from collections.abc import Callable

import pytest

from analysis.sensitive.classify import DETECTORS
from analysis.sensitive.column_names import evidence_of, words_of
from analysis.sensitive.masking import masked

DRAWS = 4000

# Random values of the shape of each type whose check is arithmetic: 9 is a digit, A a capital letter.
SHAPES = {
    "credit_card": "9999999999999999",
    "iban": "DE99999999999999999999",
    "us_routing_number": "999999999",
    "imei": "999999999999999",
    "ca_sin": "999999999",
    "in_aadhaar": "999999999999",
    "pl_pesel": "99999999999",
    "br_cpf": "99999999999",
    "de_tax_id": "99999999999",
    "es_dni": "99999999A",
    "fr_nir": "199999999999999",
    "nl_bsn": "999999999",
    "se_personal_number": "9999999999",
    "dk_cpr": "9999999999",
    "no_birth_number": "99999999999",
    "be_national_number": "99999999999",
    "za_id": "9999999999999",
    "cn_resident_id": "999999999999999999",
    "kr_rrn": "9999999999999",
    "tr_identity_number": "19999999999",
    "ch_ahv": "7569999999999",
    "ro_cnp": "1999999999999",
    "bg_egn": "9999999999",
    "uk_nhs_number": "9999999999",
    "us_npi": "1999999999",
    "eu_vat": "NL999999999B99",
    "us_ssn": "999999999",
}


@pytest.mark.parametrize("label", SHAPES)
def test_random_values_pass_no_more_often_than_told(label: str) -> None:
    chance = random.Random(3)
    detector = next(detector for detector in DETECTORS if detector.type == label)
    assert detector.check is not None
    passed = sum(detector.check(drawn(chance, SHAPES[label])) for _ in range(DRAWS))
    expected = detector.base_rate * DRAWS
    print(f"seed 3: {label} {passed / DRAWS:.4f}, told {detector.base_rate}")
    assert passed <= expected + 3 * expected**0.5 + 1
    if detector.base_rate >= 0.02:
        assert passed >= expected / 3, "told too high: real columns would be missed"


def drawn(chance: random.Random, shape: str) -> str:
    makers: dict[str, Callable[[], str]] = {
        "9": lambda: chance.choice(string.digits),
        "A": lambda: chance.choice(string.ascii_uppercase),
    }
    fixed = len(shape) - len(shape.lstrip("DENLA1756"))  # the prefix that makes the shape is not drawn
    return shape[:fixed] + "".join(makers.get(sign, lambda sign=sign: sign)() for sign in shape[fixed:])


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
