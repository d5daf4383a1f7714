"""What a bundle of advisories holds: records of the shape of OSV, and how long each line of releases is looked after.

Shape and words of the records are those of https://ossf.github.io/osv-schema/ (1.6); members that matching has no use
for are passed over.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

FORMAT = 1

Product = Literal["postgresql", "mysql", "mariadb", "sqlite"]
# 0: from the first version on.
VersionText = Annotated[str, Meta(pattern=r"^\d+(\.\d+)*$", max_length=40)]
Word = Annotated[str, Meta(min_length=1, max_length=200)]
Sentence = Annotated[str, Meta(max_length=2000)]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the three: where a fault came in, the first version without it, or the last one with it."""

    introduced: VersionText | None = None
    fixed: VersionText | None = None
    last_affected: VersionText | None = None


class Range(msgspec.Struct, frozen=True, kw_only=True):
    type: Literal["ECOSYSTEM", "SEMVER"]
    events: Annotated[list[Event], Meta(min_length=1, max_length=200)]


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is the product."""

    ecosystem: Word
    name: Product


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The part of the product that has the fault: the server itself, an extension, or programs of its client side."""

    component: Literal["server", "extension", "client"] = "server"
    # Any of them is enough.
    extensions: list[Word] = []


class Severity(msgspec.Struct, frozen=True, kw_only=True):
    """`score` is a CVSS vector."""

    type: Literal["CVSS_V2", "CVSS_V3", "CVSS_V4"]
    score: Annotated[str, Meta(max_length=400)]


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    type: Word
    url: Annotated[str, Meta(pattern=r"^https?://", max_length=1000)]


class Affected(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    package: Package
    ranges: list[Range] = []
    versions: list[VersionText] = []
    severity: list[Severity] = []
    database_specific: Part = Part()


class Advisory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One fault. Without a reference it is nobody's word, so each has one."""

    id: Word
    summary: Sentence
    modified: datetime
    affected: Annotated[list[Affected], Meta(min_length=1)]
    references: Annotated[list[Reference], Meta(min_length=1)]
    published: datetime | None = None
    withdrawn: datetime | None = None
    aliases: list[Word] = []
    severity: list[Severity] = []


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of releases; what is not known is None. `complete_since`: every advisory of the product that was fixed in
    this line after that version is in the bundle. Without it the bundle can prove a version bad, but none good."""

    line: VersionText
    latest: VersionText | None = None
    end_of_life: date | None = None
    complete_since: VersionText | None = None


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """`version` only grows: an older bundle never takes the place of a newer one. `dated` is the day up to which its
    sources were read."""

    format: Literal[1]
    version: Annotated[int, Meta(ge=1, le=2**53)]
    dated: date
    sources: list[Sentence]
    lines: dict[Product, list[Line]]
    advisories: list[Advisory]
