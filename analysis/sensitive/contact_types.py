"""How somebody is reached, by which device, and where that is."""

from __future__ import annotations

from analysis.columns import Kind
from analysis.sensitive.contact_checks import (
    OF_VERSIONS,
    DegreesCheck,
    is_coordinates,
    is_dialled,
    is_ip,
    is_ip_and_no_version,
    is_phone,
)
from analysis.sensitive.detectors import DIGITS, TEXTS, Detector, shaped, standard
from analysis.sensitive.findings import Category

_NUMBERS = frozenset({Kind.FLOAT, Kind.DECIMAL}) | TEXTS

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
        check=is_phone,
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
        check=is_dialled,
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
        check=is_ip,
        base_rate=0.01,
        most_evidence=4.0,
        nameless=is_ip_and_no_version,
        unlike=OF_VERSIONS,
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
        "coordinates",
        "Coordinates of a place",
        Category.PII,
        TEXTS,
        strong=("coordinates", "geo", "geolocation", "gps", "location", "lat lon", "latitude longitude"),
        check=is_coordinates,
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
