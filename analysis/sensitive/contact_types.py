"""Who somebody is, where they are and how they are reached."""

from __future__ import annotations

import ipaddress
import re
import unicodedata

from analysis.columns import Kind
from analysis.sensitive.detectors import DIGITS, TEXTS, Detector, shaped, standard
from analysis.sensitive.findings import Category
from analysis.sensitive.word_lists import FIRST_NAMES, GENDERS, LAST_NAMES, STREET_ENDINGS, STREET_WORDS

_WORDS = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_NAME = re.compile(r"[^\W\d_][^\W\d_.'’-]*(?:[ ,.'’-]{1,2}[^\W\d_]+){0,4}\.?")


# Letters that Unicode does not take apart.
_UNMARKED = str.maketrans("łıøđ", "liod")
# What stands before a last name and is a part of it.
_PARTICLES = frozenset(
    (
        "al",
        "ben",
        "bin",
        "da",
        "de",
        "del",
        "della",
        "den",
        "der",
        "di",
        "do",
        "dos",
        "du",
        "el",
        "la",
        "le",
        "mac",
        "mc",
        "o",
        "san",
        "st",
        "ten",
        "ter",
        "van",
        "von",
        "zu",
    )
)


def _plain(word: str) -> str:
    """In lower case and without accents, as the word lists are."""
    folded = unicodedata.normalize("NFKD", word.casefold().translate(_UNMARKED))
    return "".join(character for character in folded if not unicodedata.combining(character))


def _words(value: str) -> list[str]:
    return [_plain(word) for word in _WORDS.findall(value)] if len(value) <= 80 and _NAME.fullmatch(value) else []


def _is_first_name(value: str) -> bool:
    words = _words(value)
    if not (0 < len(words) <= 3 and value[:1].isupper() and words[0] in FIRST_NAMES):
        return False
    return all(word in FIRST_NAMES or len(word) == 1 for word in words[1:])  # or its initial


def _is_last_name(value: str) -> bool:
    words = _words(value)
    if not (0 < len(words) <= 4 and words[-1] in LAST_NAMES):
        return False
    return value[:1].isupper() and all(word in _PARTICLES or word in LAST_NAMES for word in words[:-1])


def _is_full_name(value: str) -> bool:
    """At least two words, one a frequent first name; the order varies with the country."""
    words = _words(value)
    return 2 <= len(words) <= 5 and value[:1].isupper() and any(word in FIRST_NAMES for word in words)


def _is_like_a_name(value: str) -> bool:
    """What a name could be in any language and script: a few words, no digits."""
    return len(value) <= 60 and _NAME_LIKE.fullmatch(value) is not None


# Titles and degrees have dots, double names dashes.
_NAME_LIKE = re.compile(r"[^\W\d_]+(?:[ ,.'’()-]{1,3}[^\W\d_]+){0,7}[.)]?")


def _is_like_an_address(value: str) -> bool:
    return 4 <= len(value) <= 200 and sum(map(str.isalpha, value)) >= 3 and "@" not in value


# Two of them are a sentence: one may be in the name of a street.
_OF_SENTENCES = frozenset(
    ("and", "at", "been", "for", "from", "has", "have", "is", "not", "on", "the", "to", "was", "were", "with")
)


def _is_street_address(value: str) -> bool:
    if not 6 <= len(value) <= 200 or not any(map(str.isdigit, value)):
        return False
    words = re.findall(r"[^\W\d_]+\.?", value.casefold().translate(_UNMARKED))
    if sum(word in _OF_SENTENCES for word in words) > 1:
        return False
    return any(word.rstrip(".") in STREET_WORDS or word.endswith(STREET_ENDINGS) for word in words)


# Numbers as people write them; ten bare digits could be anything.
_PHONE = re.compile(
    r"\+[1-9]\d{0,2}[ .()/-]{0,2}\d(?:[ .()/-]{0,2}\d){5,12}(?: ?(?:x|ext\.?) ?\d{1,5})?"
    r"|00[1-9]\d{0,2}[ .()/-]{1,2}\d(?:[ .()/-]{0,2}\d){5,12}"
    r"|(?:1[ .-])?\(?[2-9]\d{2}\)?[ .-]{1,2}\d{3}[ .-]\d{4}(?: ?(?:x|ext\.?) ?\d{1,5})?"
    r"|\(?0\d{1,5}\)?[ /.-]{1,3}\d(?:[ .-]?\d){3,9}"
)
_DIALLED = re.compile(r"[+(]?\d(?:[ ()./-]{0,2}\d){5,14}(?: ?(?:x|ext\.?) ?\d{1,5})?")


def _is_phone(value: str) -> bool:
    return len(value) <= 32 and _PHONE.fullmatch(value) is not None


def _is_dialled(value: str) -> bool:
    return len(value) <= 32 and _DIALLED.fullmatch(value) is not None


_DOTTED = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


def _is_ip(value: str) -> bool:
    if len(value) > 45 or not (_DOTTED.fullmatch(value) or value.count(":") > 1):
        return False
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


# Numbers of versions in four parts pass as addresses, but most of their parts are small: of 98 in 100 addresses of
# the internet two or more are as large as this, as they are of 192.168.0.1.
_LARGE_PART = 32
_OF_VERSIONS = frozenset(("version", "versions", "ver", "release", "build", "firmware", "revision", "rev", "assembly"))


def _is_ip_and_no_version(value: str) -> bool:
    if not _is_ip(value):
        return False
    return ":" in value or sum(int(part) >= _LARGE_PART for part in value.split(".")) >= 2


_PAIR = re.compile(r"\(?\s*(-?\d{1,2}\.\d{3,})\s*[,;]\s*(-?\d{1,3}\.\d{3,})\s*\)?")


def _is_coordinates(value: str) -> bool:
    pair = _PAIR.fullmatch(value)
    return pair is not None and abs(float(pair.group(1))) <= 90 and abs(float(pair.group(2))) <= 180


class DegreesCheck:
    """A number of degrees, with a fraction: whole ones are ages and counts."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high

    def __call__(self, value: str) -> bool:
        try:
            degrees = float(value)
        except ValueError:
            return False
        return self._low <= degrees <= self._high and "." in value


_NUMBERS = frozenset({Kind.FLOAT, Kind.DECIMAL}) | TEXTS
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

# Numbers of things are written in groups, too.
_OF_THINGS = frozenset(("article", "drawing", "isbn", "item", "model", "order", "part", "product", "serial", "sku"))

CONTACT_TYPES = (
    Detector(
        "email",
        "E-mail address",
        Category.PII,
        TEXTS,
        strong=("email", "email address"),
        weak=("contact", "login"),
        check=shaped(
            r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}"
            r"\.(?!(?:png|jpe?g|gif|svg|webp)$)[A-Za-z]{2,24}"  # as in `logo@2x.png`
        ),
    ),
    Detector(
        "phone",
        "Phone number",
        Category.PII,
        TEXTS,
        strong=(
            "phone",
            "phone number",
            "mobile",
            "mobile phone",
            "mobile number",
            "cell",
            "cell phone",
            "fax",
            "msisdn",
        ),
        weak=("contact", "contact number"),
        check=_is_phone,
        base_rate=0.05,
        typical=0.85,
        most_evidence=3.5,
        unlike=_OF_THINGS,
    ),
    Detector(
        "phone",
        "Phone number",
        Category.PII,
        DIGITS,
        strong=(
            "phone",
            "phone number",
            "mobile",
            "mobile phone",
            "mobile number",
            "cell",
            "cell phone",
            "fax",
            "msisdn",
        ),
        check=_is_dialled,
        base_rate=0.6,
        most_evidence=0.6,
        needs_name=True,
    ),
    Detector(
        "ip_address",
        "IP address",
        Category.PII,
        TEXTS,
        strong=("ip", "ip address", "client ip", "remote addr", "remote address", "source ip"),
        weak=("host", "client"),
        check=_is_ip,
        base_rate=0.01,
        most_evidence=4.0,
        nameless=_is_ip_and_no_version,
        unlike=_OF_VERSIONS,
    ),
    Detector(
        "mac_address",
        "MAC address of a device",
        Category.PII,
        TEXTS,
        strong=("mac", "mac address", "hardware address"),
        check=shaped(r"[0-9A-Fa-f]{2}([:-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}"),
        base_rate=1e-4,
    ),
    Detector(
        "imei",
        "Number of a mobile device (IMEI)",
        Category.PII,
        DIGITS,
        strong=("imei",),
        weak=("device id",),
        check=standard("imei", r"\d{15}"),
        base_rate=0.1,
    ),
    Detector(
        "first_name",
        "First name",
        Category.PII,
        TEXTS,
        strong=_FIRST_NAME,
        weak=("name", "nombre", "nome", "ad"),
        check=_is_first_name,
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
        check=_is_last_name,
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
        check=_is_full_name,
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
        check=_is_street_address,
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
        check=_is_like_a_name,
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
        check=_is_like_a_name,
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
        check=_is_like_a_name,
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
        check=_is_like_an_address,
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
    Detector(
        "coordinates",
        "Coordinates of a place",
        Category.PII,
        TEXTS,
        strong=("coordinates", "geo", "geolocation", "gps", "location", "lat lon", "latitude longitude"),
        check=_is_coordinates,
        base_rate=0.01,
        most_evidence=4.0,
        of_places=True,
    ),
    Detector(
        "latitude",
        "Latitude of a place",
        Category.PII,
        _NUMBERS,
        strong=("latitude",),
        check=DegreesCheck(-90, 90),
        base_rate=0.4,
        most_evidence=0.5,
        needs_name=True,
        of_places=True,
    ),
    Detector(
        "longitude",
        "Longitude of a place",
        Category.PII,
        _NUMBERS,
        strong=("longitude",),
        check=DegreesCheck(-180, 180),
        base_rate=0.4,
        most_evidence=0.5,
        needs_name=True,
        of_places=True,
    ),
)
