"""Random values of the shape of each type whose check is arithmetic, to see how many of them pass by chance."""

from __future__ import annotations

import random
import string

# 9 is a random digit, A a random capital letter, C one of the letters or digits; after a backslash a sign is itself.
SHAPES = {
    "credit_card": "9999999999999999",
    "iban": r"\D\E99999999999999999999",
    "us_routing_number": "999999999",
    "imei": "999999999999999",
    "ca_sin": "999999999",
    "in_aadhaar": "999999999999",
    "pl_pesel": "99999999999",
    "br_cpf": "99999999999",
    "de_tax_id": "99999999999",
    "es_dni": "99999999A",
    "es_nie": r"\X9999999A",
    "fr_nir": "199999999999999",
    "nl_bsn": "999999999",
    "se_personal_number": "9999999999",
    "fi_hetu": "999999-999C",
    "dk_cpr": "9999999999",
    "no_birth_number": "99999999999",
    "be_national_number": "99999999999",
    "za_id": "9999999999999",
    "cn_resident_id": "999999999999999999",
    "kr_rrn": "9999999999999",
    "mx_curp": r"AAAA999999\HAAAAA99",
    "it_fiscal_code": "AAAAAA99A99A999A",
    "in_pan": "AAAAA9999A",
    "uk_nino": "AA999999A",
    "tr_identity_number": r"\19999999999",
    "ch_ahv": r"\7\5\69999999999",
    "ro_cnp": r"\1999999999999",
    "bg_egn": "9999999999",
    "uk_nhs_number": "9999999999",
    "us_npi": r"\1999999999",
    "eu_vat": r"\N\L999999999\B99",
    "us_ssn": "999999999",
}
# The share that arithmetic gives, where it does so in a line: of check digits, and of the prefixes before them.
BY_ARITHMETIC = {
    "credit_card": (0.2323 / 10, "0.232 begin as those of an issuer do, one Luhn digit"),
    "iban": (1 / 97, "a remainder by 97"),
    "us_routing_number": (1 / 10, "one check digit"),
    "imei": (1 / 10, "one Luhn digit"),
    "ca_sin": (0.8 / 10, "one Luhn digit, the first neither 0 nor 8"),
    "in_aadhaar": (0.8 / 10, "one Verhoeff digit, the first from 2 to 9"),
    "br_cpf": (1 / 100, "two check digits"),
    "es_dni": (1 / 26, "one of 23 letters among 26"),
    "fr_nir": (1 / 97, "a remainder by 97, and a month"),
    "nl_bsn": (1 / 11, "a remainder by 11"),
    "tr_identity_number": (1 / 100, "two check digits"),
    "ch_ahv": (1 / 10, "one check digit"),
    "uk_nhs_number": (1 / 11, "a remainder by 11"),
    "us_npi": (1 / 10, "one Luhn digit"),
    "us_ssn": (0.898 * 0.99 * 0.9999, "898 of 1,000 areas, no part of zeros only"),
    "uk_nino": (373 / 676 * 4 / 26, "373 of 676 pairs of letters, four last letters"),
    "in_pan": (11 / 26, "one of 11 letters says who holds it"),
    "kr_rrn": (0.0366 / 10, "a day of the year, one check digit"),
}


def random_id(chance: random.Random, label: str) -> str:
    """A random value of the shape of this type."""
    signs = iter(SHAPES[label])
    return "".join(next(signs) if sign == "\\" else chance.choice(_ALPHABETS.get(sign, sign)) for sign in signs)


_ALPHABETS = {"9": string.digits, "A": string.ascii_uppercase, "C": string.digits + string.ascii_uppercase}
