"""The bundle that comes with the release: signed, and true about the versions that people run."""

from __future__ import annotations

from datetime import date

import pytest

from analysis.advisories import bundles
from analysis.advisories.matching import assess
from analysis.advisories.scores import base_score

BUNDLE = bundles.shipped().bundle


def test_it_holds_what_it_says() -> None:
    assert len(BUNDLE.advisories) >= 46
    assert len({advisory.id for advisory in BUNDLE.advisories}) == len(BUNDLE.advisories)
    assert all(reference.url.startswith("https://") for one in BUNDLE.advisories for reference in one.references)


@pytest.mark.parametrize(
    ("name", "score"),
    # As their authors computed them.
    [("CVE-2026-2005", 8.8), ("CVE-2026-6638", 3.7), ("CVE-2026-14666", 4.2), ("CVE-2025-6965", 7.2)],
)
def test_scores_are_those_of_the_authors(name: str, score: float) -> None:
    [severity] = next(one for one in BUNDLE.advisories if one.id == name).affected[0].severity

    assert base_score(severity) == score


@pytest.mark.parametrize(
    ("product", "text", "outcome"),
    [
        ("postgresql", "15.18", "fail"),
        ("postgresql", "15.19", "pass"),
        ("postgresql", "18.6", "pass"),
        ("postgresql", "13.23", "fail"),
        ("mariadb", "10.11.18-MariaDB", "fail"),
        # Only some of the advisories for it are held.
        ("mariadb", "10.11.19-MariaDB", "not_evaluated"),
        ("mysql", "8.0.45", "fail"),
        ("sqlite", "3.40.1", "fail"),
        ("sqlite", "3.50.4", "not_evaluated"),
    ],
)
def test_what_it_says_of_versions(product: str, text: str, outcome: str) -> None:
    assert assess(product, text, 0, None, BUNDLE, date(2026, 9, 1)).outcome == outcome


def test_pgcrypto_is_no_matter_where_it_is_not_installed() -> None:
    without = assess("postgresql", "15.15", 0, {"plpgsql"}, BUNDLE, date(2026, 9, 1))

    assert "CVE-2026-2005" in {one.advisory.id for one in without.not_concerned}
    assert "CVE-2026-2005" not in {one.advisory.id for one in without.matches}
    assert "CVE-2026-2006" in {one.advisory.id for one in without.matches}
