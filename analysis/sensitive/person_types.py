"""Who somebody is and where they live."""

from __future__ import annotations

import re

from analysis.columns import Kind
from analysis.sensitive.contact_checks import (
    is_first_name,
    is_full_name,
    is_last_name,
    is_like_a_name,
    is_like_an_address,
    is_street_address,
)
from analysis.sensitive.detectors import DIGITS, TEXTS, Detector, shaped
from analysis.sensitive.findings import Category
from analysis.sensitive.word_lists import GENDERS

_BIRTHS = re.compile(r"(?:19|20)\d{2}-\d{2}-\d{2}(?:[T ].*)?|\d{1,2}[./-]\d{1,2}[./-](?:19|20)\d{2}")

# Each is told by its values, and where these are only like it, by a name that says it.
_FIRST_NAME = (
    "first name",
    "given name",
    "middle name",
    "vorname",
    "prenom",
    "voornaam",
    "fornamn",
    "imie",
)

_LAST_NAME = (
    "last name",
    "family name",
    "maiden name",
    "nachname",
    "nom famille",
    "apellido",
    "apellidos",
    "cognome",
    "achternaam",
    "efternamn",
    "nazwisko",
    "sobrenome",
    "soyad",
    "soyadi",
)

_FULL_NAME = (
    "full name",
    "customer name",
    "employee name",
    "patient name",
    "person name",
    "contact name",
    "card holder",
    "cardholder",
)

_STREET = (
    "street",
    "street address",
    "home address",
    "address line",
    "mailing address",
    "billing address",
    "shipping address",
)

PERSON_TYPES = (
    Detector(
        "first_name",
        "First name",
        Category.PII,
        TEXTS,
        strong=_FIRST_NAME,
        weak=("name", "nombre", "nome", "ad"),
        check=is_first_name,
        base_rate=0.05,
        typical=0.45,
        most_evidence=4.0,
    ),
    Detector(
        "last_name",
        "Last name",
        Category.PII,
        TEXTS,
        strong=_LAST_NAME,
        weak=("name",),
        check=is_last_name,
        base_rate=0.06,
        typical=0.3,
        most_evidence=4.0,
    ),
    Detector(
        "full_name",
        "Name of a person",
        Category.PII,
        TEXTS,
        strong=_FULL_NAME,
        weak=("name", "author", "owner", "contact", "manager", "customer", "employee", "patient"),
        check=is_full_name,
        base_rate=0.03,
        typical=0.5,
        most_evidence=5.0,
    ),
    Detector(
        "street_address",
        "Street address",
        Category.PII,
        TEXTS,
        strong=_STREET,
        weak=("address", "adresse", "adres", "adress", "direccion", "domicilio", "endereco", "indirizzo"),
        check=is_street_address,
        base_rate=0.02,
        typical=0.6,
        most_evidence=5.0,
    ),
    Detector(
        "first_name",
        "First name",
        Category.PII,
        TEXTS,
        strong=_FIRST_NAME,
        check=is_like_a_name,
        base_rate=0.6,
        most_evidence=0.6,
        needs_name=True,
    ),
    Detector(
        "last_name",
        "Last name",
        Category.PII,
        TEXTS,
        strong=_LAST_NAME,
        check=is_like_a_name,
        base_rate=0.6,
        most_evidence=0.6,
        needs_name=True,
    ),
    Detector(
        "full_name",
        "Name of a person",
        Category.PII,
        TEXTS,
        strong=_FULL_NAME,
        check=is_like_a_name,
        base_rate=0.6,
        most_evidence=0.6,
        needs_name=True,
    ),
    Detector(
        "street_address",
        "Street address",
        Category.PII,
        TEXTS,
        strong=_STREET,
        check=is_like_an_address,
        base_rate=0.6,
        most_evidence=0.6,
        needs_name=True,
    ),
    Detector(
        "postal_code",
        "Postal code",
        Category.PII,
        DIGITS,
        strong=("zip", "zip code", "postal code", "plz", "code postal"),
        check=shaped(r"(?=[A-Z -]*\d)[A-Z0-9]{1,5}[ -]?[A-Z0-9]{2,5}"),
        base_rate=0.3,
        most_evidence=0.6,
        needs_name=True,
    ),
    Detector(
        "date_of_birth",
        "Date of birth",
        Category.PII,
        TEXTS | {Kind.DATE, Kind.TIMESTAMP},
        strong=("dob", "birth date", "date of birth", "birth", "born", "born on", "geburtsdatum"),
        check=lambda value: _BIRTHS.fullmatch(value) is not None,
        base_rate=0.5,
        most_evidence=0.7,
        needs_name=True,
    ),
    Detector(
        "gender",
        "Gender",
        Category.PII,
        TEXTS,
        strong=("gender", "sex"),
        check=lambda value: value.casefold().strip() in GENDERS,
        base_rate=0.3,
        typical=0.8,
        most_evidence=0.5,
        needs_name=True,
    ),
)
