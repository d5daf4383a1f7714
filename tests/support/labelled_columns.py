"""Columns with a known type, made from a seed: sensitive ones under good, weak and meaningless names, and look-alikes.

The names of people are a list of their own: most but not all of them are among those that classification ships.
"""

import base64
import hashlib
import json
import random
import string
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

ROWS = 80


def names(text: str) -> list[str]:
    return text.split()


FIRST = names("""
Oliver Amelia Noah Isla Ahmed Chidi Ngozi Mateo Valentina Liam Emma Jürgen Heike Wolfgang Sabine Pierre Amélie
Giulia Marco Sofía Javier Yuki Haruto Wei Ming Priya Arjun Olga Dmitri Aoife Niamh Lars Ingrid Fatima Omar
Elif Mehmet Zainab Kwame Thandiwe James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth
William Barbara Richard Susan Joseph Jessica Thomas Sarah Karen Charles Lisa Nancy Daniel Betty Anthony Sandra
Mark Ashley Donald Emily Steven Kimberly Paul Donna Andrew Carol Kenneth Michelle Brandon Courtney Trevor
Beatrix
""")
LAST = names("""
Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson
Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis
Robinson Müller Schmidt Weber Dubois Lefèvre Rossi Ferrari Nowak Kowalczyk O'Brien Okafor Adeyemi Tanaka
Suzuki Chen Nguyen Patel Kumar Petrov Johansson Nielsen Virtanen Papadopoulos Yılmaz Haddad Cohen Levi Silva
Costa Eze Mbeki Vandenberg Oakley Thistlewood Abernathy Grimshaw
""")
STREETS = names("""
Main Oak Elm Maple Washington Church Station Victoria Park Mill High Lake Hill King Queen Bridge
""")
CITIES = names("""
London Paris Berlin Madrid Rome Vienna Lisbon Oslo Dublin Austin Boston Denver Seattle Chicago Miami Phoenix
Portland Tokyo Osaka Delhi Mumbai Cairo Lagos Nairobi Sydney Perth Toronto Montreal Lima Bogota
""")
PRODUCTS = names("""
Chair Table Lamp Desk Shelf Sofa Bench Stool Mirror Rug Clock Vase Frame Basket Bottle Kettle
""")
COLOURS = names("""
Red Green Blue Black White Grey Brown Yellow Orange Purple
""")
DIAGNOSES = names("""
Hypertension Asthma Diabetes Migraine Eczema Anaemia Arthritis Bronchitis Influenza Depression
""")
MEANINGLESS = ("col_7", "field3", "value", "x", "attr_b", "data1", "c12", "v")

Chance = random.Random


@dataclass(frozen=True)
class Labelled:
    """`label` is None for a column of no sensitive type."""

    name: str
    label: str | None
    values: list[Any]


def digits(chance: Chance, count: int) -> str:
    return "".join(chance.choices(string.digits, k=count))


def letters(chance: Chance, count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(chance.choices(alphabet, k=count))


def card(chance: Chance) -> str:
    prefix = chance.choice(["4", "51", "55", "37", "6011", "2221"])
    body = prefix + digits(chance, (15 if prefix == "37" else 16) - 1 - len(prefix))
    number = luhn(body)
    grouped = " ".join(number[at : at + 4] for at in range(0, 16, 4))
    return grouped if len(number) == 16 and chance.random() < 0.2 else number


def luhn(body: str) -> str:
    return body + str(import_module("stdnum.luhn").calc_check_digit(body))


def iban(chance: Chance) -> str:
    country, account = chance.choice(
        [("DE", digits(chance, 18)), ("AT", digits(chance, 16)), ("NL", f"ABNA{digits(chance, 10)}")]
    )
    rearranged = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    return f"{country}{98 - int(rearranged) % 97:02d}{account}"


def completed(chance: Chance, module: str, template: Callable[[], str]) -> str:
    """A valid number from a template whose question marks are check digits."""
    is_valid = import_module(module).is_valid
    while True:
        text = template()
        marks = text.count("?")
        for number in chance.sample(range(10**marks), 10**marks):
            candidate = text
            for digit in f"{number:0{marks}d}" if marks else "":
                candidate = candidate.replace("?", digit, 1)
            try:
                if is_valid(candidate):
                    return candidate
            except Exception:  # the library stumbles over some numbers
                continue


def born(chance: Chance, shape: str) -> str:
    parts = {
        "y": f"{chance.randrange(40, 99):02d}",
        "m": f"{chance.randrange(1, 13):02d}",
        "d": f"{chance.randrange(1, 29):02d}",
    }
    return "".join(parts[letter] for letter in shape)


def email(chance: Chance) -> str:
    user = f"{chance.choice(FIRST)}.{chance.choice(LAST)}".lower().encode("ascii", "ignore").decode().replace("'", "")
    return (
        f"{user}{chance.randrange(100)}@{chance.choice(['example.com', 'mail.example.org', 'firma.de', 'uni.ac.uk'])}"
    )


def phone(chance: Chance) -> str:
    return chance.choice(
        [
            f"+1 {chance.randrange(200, 999)}-{digits(chance, 3)}-{digits(chance, 4)}",
            f"({chance.randrange(200, 999)}) {digits(chance, 3)}-{digits(chance, 4)}",
            f"+49 {chance.randrange(30, 999)} {digits(chance, 7)}",
            f"0{chance.randrange(20, 999)} {digits(chance, 3)} {digits(chance, 4)}",
            f"+33 6 {' '.join(digits(chance, 2) for _ in range(4))}",
        ]
    )


def address(chance: Chance) -> str:
    return chance.choice(
        [
            f"{digits(chance, 3)} {chance.choice(STREETS)} {chance.choice(['St', 'Ave', 'Rd', 'Lane'])}",
            f"{chance.choice(LAST)}straße {chance.randrange(1, 200)}",
            f"{chance.randrange(1, 99)} rue de {chance.choice(CITIES)}",
            f"{chance.randrange(1, 999)} {chance.choice(STREETS)} Blvd Apt {chance.randrange(1, 99)}",
        ]
    )


def jwt(chance: Chance) -> str:
    def part(data: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({'sub': digits(chance, 6)})}.{letters(chance, 43)}"


def ssn(chance: Chance) -> str:
    return completed(
        chance,
        "stdnum.us.ssn",
        lambda: f"{chance.randrange(1, 899):03d}-{chance.randrange(1, 99):02d}-{digits(chance, 4)}",
    )


def national(module: str, template: Callable[[Chance], str]) -> Callable[[Chance], str]:
    return lambda chance: completed(chance, f"stdnum.{module}", lambda: template(chance))


def _nearly_all_digits(chance: Chance) -> str:
    """Ten digits, one of them twice, as German tax numbers want it."""
    shuffled = chance.sample(string.digits, 10)
    shuffled[9] = shuffled[0]
    rest = chance.sample(shuffled, 10)
    return "".join(rest) if rest[0] != "0" else _nearly_all_digits(chance)


def _cpf(chance: Chance) -> str:
    body = digits(chance, 9)
    for _ in range(2):
        total = sum(int(digit) * weight for digit, weight in zip(body, range(len(body) + 1, 1, -1), strict=True))
        body += str(total * 10 % 11 % 10)
    return body


def _fnr(chance: Chance) -> str:
    module = import_module("stdnum.no.fodselsnummer")
    while True:
        body = born(chance, "dmy") + digits(chance, 3)
        body += str(module.calc_check_digit1(body))
        body += str(module.calc_check_digit2(body))
        if module.is_valid(body):
            return body


def _dni(chance: Chance) -> str:
    number = digits(chance, 8)
    return number + "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23]


def _fiscal_code(chance: Chance) -> str:
    calc = import_module("stdnum.it.codicefiscale").calc_check_digit
    body = letters(chance, 6, "BCDFGLMNPRST") + born(chance, "y") + chance.choice("ABCDEHLM") + born(chance, "d")
    body += f"H{digits(chance, 3)}"
    return body + str(calc(body))


# type: (maker, names that say it, whether its values tell it without a name)
TYPES: dict[str, tuple[Callable[[Chance], Any], tuple[str, ...], bool]] = {
    "email": (email, ("email", "customerEmailAddress", "E-Mail", "contact"), True),
    "phone": (phone, ("phone", "mobile_number", "telephone", "homePhone"), True),
    "ip_address": (
        lambda c: ".".join(str(c.randrange(1, 255)) for _ in range(4)),
        ("ip", "client_ip", "ipAddress"),
        True,
    ),
    "mac_address": (lambda c: ":".join(f"{c.randrange(256):02x}" for _ in range(6)), ("mac", "mac_address"), True),
    "imei": (lambda c: luhn(digits(c, 14)), ("imei", "imei_number"), True),
    "first_name": (lambda c: c.choice(FIRST), ("first_name", "FirstName", "given_name", "fname"), True),
    "last_name": (lambda c: c.choice(LAST), ("last_name", "surname", "familyName", "lname"), True),
    "full_name": (
        lambda c: f"{c.choice(FIRST)} {c.choice(LAST)}",
        ("full_name", "customer_name", "patientName", "name"),
        True,
    ),
    "street_address": (address, ("street", "street_address", "address", "billingAddress"), True),
    "postal_code": (lambda c: digits(c, 5), ("zip", "zip_code", "PostalCode", "plz"), False),
    "date_of_birth": (
        lambda c: f"{c.randrange(1940, 2005)}-{c.randrange(1, 13):02d}-{c.randrange(1, 29):02d}",
        ("dob", "birth_date", "dateOfBirth", "born"),
        False,
    ),
    "gender": (lambda c: c.choice(["m", "f", "other"]), ("gender", "sex"), False),
    "coordinates": (
        lambda c: f"{c.uniform(-90, 90):.5f}, {c.uniform(-180, 180):.5f}",
        ("location", "gps", "geo"),
        True,
    ),
    "latitude": (lambda c: c.uniform(-90, 90), ("latitude", "lat", "store_lat"), False),
    "longitude": (lambda c: c.uniform(-180, 180), ("longitude", "lng", "store_lon"), False),
    "credit_card": (card, ("card_number", "creditCard", "cc_number", "payment_card"), True),
    "card_security_code": (lambda c: digits(c, 3), ("cvv", "cvc2"), False),
    "iban": (iban, ("iban", "customer_iban", "account"), True),
    "us_routing_number": (national("us.rtn", lambda c: digits(c, 8) + "?"), ("routing_number", "aba"), True),
    "bank_account_number": (lambda c: digits(c, 10), ("bank_account", "account_number"), False),
    "eu_vat": (national("eu.vat", lambda c: "NL" + digits(c, 7) + "??B01"), ("vat_number", "vatId"), True),
    "income": (lambda c: c.randrange(20_000, 200_000), ("salary", "annual_income"), False),
    "us_ssn": (ssn, ("ssn", "social_security_number", "SSN"), False),
    "ca_sin": (national("ca.sin", lambda c: f"{c.randrange(1, 8)}{digits(c, 7)}?"), ("sin", "social_insurance"), True),
    "in_aadhaar": (national("in_.aadhaar", lambda c: f"{c.randrange(2, 10)}{digits(c, 10)}?"), ("aadhaar",), True),
    "pl_pesel": (national("pl.pesel", lambda c: born(c, "ymd") + digits(c, 4) + "?"), ("pesel",), True),
    "br_cpf": (_cpf, ("cpf", "cliente_cpf"), True),
    "de_tax_id": (national("de.idnr", lambda c: _nearly_all_digits(c) + "?"), ("steuer_id", "tax_id"), True),
    "es_dni": (_dni, ("dni",), True),
    "it_fiscal_code": (_fiscal_code, ("codice_fiscale",), True),
    "nl_bsn": (national("nl.bsn", lambda c: f"{c.randrange(1, 4)}{digits(c, 7)}?"), ("bsn",), True),
    "no_birth_number": (_fnr, ("fnr",), True),
    "uk_nino": (lambda c: f"{c.choice(['AB', 'CE', 'JG', 'PW'])}{digits(c, 6)}{c.choice('ABCD')}", ("nino",), True),
    "passport_number": (lambda c: f"{c.choice('CFGHJK')}{digits(c, 8)}", ("passport_number", "passport"), False),
    "driver_licence": (lambda c: f"{c.choice('ABCD')}{digits(c, 7)}", ("drivers_license", "driver_licence"), False),
    "uk_nhs_number": (national("gb.nhs", lambda c: digits(c, 9) + "?"), ("nhs_number",), True),
    "us_npi": (lambda c: luhn("808401" + digits(c, 8))[5:], ("npi",), True),
    "icd_code": (
        lambda c: f"{c.choice('ABCEFJKM')}{digits(c, 2)}.{c.randrange(10)}",
        ("icd10_code", "diagnosis_code"),
        False,
    ),
    "medical_record_number": (lambda c: f"MR{digits(c, 7)}", ("mrn", "medical_record_number"), False),
    "blood_type": (lambda c: c.choice(["A+", "O-", "AB+", "B-", "O+"]), ("blood_type", "bloodGroup"), True),
    "diagnosis": (lambda c: c.choice(DIAGNOSES), ("diagnosis", "medication"), False),
    "private_key": (
        lambda c: f"-----BEGIN RSA PRIVATE KEY-----\n{letters(c, 64)}\n-----END RSA PRIVATE KEY-----",
        ("private_key", "pem"),
        True,
    ),
    "jwt": (jwt, ("access_token", "jwt", "token"), True),
    "api_key": (
        lambda c: c.choice(
            [f"AKIA{letters(c, 16, string.ascii_uppercase)}", f"sk_live_{letters(c, 24)}", f"ghp_{letters(c, 36)}"]
        ),
        ("api_key", "accessKey", "secret"),
        True,
    ),
    "password_hash": (lambda c: f"$2b$12${letters(c, 53)}", ("password", "password_hash"), True),
    "connection_string": (
        lambda c: f"postgresql://{letters(c, 6)}:{letters(c, 12)}@db.example.com/app",
        ("connection_string", "dsn"),
        True,
    ),
    "secret": (lambda c: letters(c, 40), ("client_secret", "auth_token"), False),
    "password": (lambda c: letters(c, 10, string.printable[:90].replace(" ", "")), ("password", "user_pwd"), False),
}


def _sequence(start: int, step: int) -> Callable[[Chance], list[Any]]:
    return lambda chance: [start + step * number for number in range(ROWS)]


def _each(maker: Callable[[Chance], Any]) -> Callable[[Chance], list[Any]]:
    return lambda chance: [maker(chance) for _ in range(ROWS)]


# Columns that are not what a check or a name makes them look like.
LOOK_ALIKES: tuple[tuple[str, Callable[[Chance], list[Any]]], ...] = (
    ("order_number", _each(lambda c: digits(c, 16))),
    ("reference", _each(lambda c: int("4" + digits(c, 15)))),
    ("order_id", _sequence(4_000_000_000_000_000, 1)),
    ("order_id", _sequence(4_000_000_000_000_000, 10)),
    ("created_ms", _each(lambda c: c.randrange(1_500_000_000_000, 1_700_000_000_000))),
    ("event_us", _each(lambda c: c.randrange(15 * 10**14, 17 * 10**14))),
    ("customer_number", _each(lambda c: digits(c, 9))),
    ("parcel", _each(lambda c: digits(c, 10))),
    ("batch", _each(lambda c: digits(c, 11))),
    ("article", _each(lambda c: digits(c, 12))),
    ("ean", _each(lambda c: digits(c, 13))),
    ("serial", _each(lambda c: digits(c, 15))),
    ("invoice_id", _sequence(100_000_000, 1)),
    ("ticket", _sequence(1_000_000_000, 7)),
    ("id", _sequence(1, 1)),
    ("year", _each(lambda c: c.randrange(1980, 2025))),
    ("age", _each(lambda c: c.randrange(18, 90))),
    ("email_verified", _each(lambda c: c.choice(["yes", "no"]))),
    ("is_phone_valid", _each(lambda c: c.random() < 0.5)),
    ("phone_count", _each(lambda c: c.randrange(5))),
    ("address_type", _each(lambda c: c.choice(["home", "work", "billing"]))),
    ("name_length", _each(lambda c: c.randrange(3, 20))),
    ("email_domain", _each(lambda c: c.choice(["example.com", "firma.de"]))),
    ("email_template", _each(lambda c: c.choice(["welcome", "reminder", "invoice"]))),
    ("password_changed_at", _each(lambda c: f"20{c.randrange(10, 24)}-0{c.randrange(1, 9)}-11")),
    ("token_count", _each(lambda c: c.randrange(1000))),
    ("card_type", _each(lambda c: c.choice(["visa", "amex", "master"]))),
    ("public_acid_level", _each(lambda c: round(c.random() * 14, 1))),
    ("publication_policy", _each(lambda c: f"SCN-{digits(c, 3)}")),
    ("sku", _each(lambda c: f"{letters(c, 2, string.ascii_uppercase)}-{digits(c, 4)}")),
    ("product_code", _each(lambda c: f"{digits(c, 3)}-{digits(c, 2)}-{digits(c, 3)}")),
    ("commit", _each(lambda c: hashlib.sha1(digits(c, 9).encode()).hexdigest())),
    ("checksum", _each(lambda c: hashlib.md5(digits(c, 9).encode()).hexdigest())),
    ("uid", _each(lambda c: str(uuid.UUID(int=c.getrandbits(128), version=4)))),
    ("etag", _each(lambda c: letters(c, 24))),
    ("version", _each(lambda c: f"{c.randrange(9)}.{c.randrange(20)}.{c.randrange(50)}")),
    ("product_name", _each(lambda c: f"{c.choice(COLOURS)} {c.choice(PRODUCTS)}")),
    ("name", _each(lambda c: f"{c.choice(COLOURS)} {c.choice(PRODUCTS)}")),
    ("city", _each(lambda c: c.choice(CITIES))),
    ("country", _each(lambda c: c.choice(["Germany", "France", "Jordan", "Chad", "Georgia", "Spain", "Peru"]))),
    ("month", _each(lambda c: c.choice(["January", "April", "May", "June", "August"]))),
    ("language", _each(lambda c: c.choice(["de", "en", "fr"]))),
    ("status", _each(lambda c: c.choice(["open", "closed", "void"]))),
    ("price", _each(lambda c: round(c.uniform(1, 500), 2))),
    ("weight", _each(lambda c: round(c.uniform(-80, 80), 4))),
    ("total", _each(lambda c: round(c.lognormvariate(3, 1), 2))),
    ("created_at", _each(lambda c: f"2023-{c.randrange(1, 13):02d}-{c.randrange(1, 29):02d}T10:00:00")),
    ("due_date", _each(lambda c: f"2023-{c.randrange(1, 13):02d}-{c.randrange(1, 29):02d}")),
    ("url", _each(lambda c: f"https://example.com/{letters(c, 8)}")),
    ("path", _each(lambda c: f"/var/{letters(c, 6)}/{letters(c, 4)}.txt")),
    ("note", _each(lambda c: f"{c.choice(PRODUCTS)} arrived {c.choice(['late', 'early'])}, {digits(c, 2)} pieces")),
    ("range", _each(lambda c: f"{c.randrange(100)}-{c.randrange(100, 999)}")),
    ("measure", _each(lambda c: f"{c.uniform(0, 9):.6f}")),
    ("isbn", _each(lambda c: "978" + digits(c, 10))),
    ("flight", _each(lambda c: f"{letters(c, 2, string.ascii_uppercase)}{digits(c, 4)}")),
    ("currency", _each(lambda c: c.choice(["EUR", "USD", "GBP"]))),
    ("department", _each(lambda c: c.choice(["Sales", "Research", "Justice", "Health"]))),
    ("size", _each(lambda c: c.choice(["S", "M", "L", "X"]))),
    ("grade", _each(lambda c: c.choice(["A", "B", "C"]))),
    ("species", _each(lambda c: c.choice(["setosa", "virginica", "versicolor"]))),
    ("bin_bits", _each(lambda c: letters(c, 16, "01"))),
    ("temperature", _each(lambda c: c.uniform(-20, 40))),
)


def labelled_columns(seed: int) -> Iterator[Labelled]:
    """About 450 columns. A tenth of the values of every second sensitive column is missing or wrong."""
    chance = Chance(seed)
    for label, (maker, names, tells) in TYPES.items():
        kinds = [(name, noisy) for name in names for noisy in (False, True)]
        kinds += [(chance.choice(MEANINGLESS), noisy) for noisy in (False, True)] if tells else []
        for name, noisy in kinds:
            values = [maker(chance) for _ in range(ROWS)]
            yield Labelled(name, label, spoiled(chance, values) if noisy else values)
    for name, column in LOOK_ALIKES:
        yield Labelled(name, None, column(chance))
        yield Labelled(chance.choice(MEANINGLESS), None, column(chance))


def spoiled(chance: Chance, values: list[Any]) -> list[Any]:
    junk = [None] if isinstance(values[0], int | float) else [None, "n/a", "unknown", ""]
    return [chance.choice(junk) if chance.random() < 0.1 else value for value in values]
