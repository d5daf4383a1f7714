"""Bundles for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from analysis.advisories.records import (
    Advisory,
    Affected,
    Bundle,
    Event,
    Line,
    Package,
    Part,
    Product,
    Range,
    Reference,
    Severity,
)

DATED = date(2026, 8, 30)
SEVERE = "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"


def event(introduced: str | None = None, *, fixed: str | None = None, last_affected: str | None = None) -> Event:
    return Event(introduced=introduced, fixed=fixed, last_affected=last_affected)


def affected(*events: Event, product: Product = "postgresql", part: Part | None = None) -> Affected:
    return Affected(
        package=Package(ecosystem="upstream", name=product),
        ranges=[Range(type="ECOSYSTEM", events=list(events))],
        severity=[Severity(type="CVSS_V3", score=SEVERE)],
        database_specific=part or Part(),
    )


def advisory(name: str, *parts: Affected, withdrawn: bool = False) -> Advisory:
    return Advisory(
        id=name,
        summary=f"Summary of {name}",
        modified=datetime(2026, 8, 1, tzinfo=UTC),
        withdrawn=datetime(2026, 8, 2, tzinfo=UTC) if withdrawn else None,
        affected=list(parts),
        references=[Reference(type="ADVISORY", url=f"https://example.org/{name}")],
    )


def bundle(*advisories: Advisory, lines: Sequence[Line] | None = None, version: int = 5, dated: date = DATED) -> Bundle:
    return Bundle(
        format=1,
        version=version,
        dated=dated,
        sources=["made for a test"],
        lines={
            "postgresql": list(lines)
            if lines is not None
            else [
                Line(line="15", latest="15.19", end_of_life=date(2027, 11, 11), complete_since="15.0"),
                Line(line="13", latest="13.23", end_of_life=date(2025, 11, 13), complete_since="13.0"),
                Line(line="12", latest="12.22", end_of_life=date(2027, 1, 1)),
            ]
        },
        advisories=list(advisories),
    )
