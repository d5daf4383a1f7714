"""What a bundle says of a version: open advisories, the end of its line, and when it says nothing."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from analysis.advisories.matching import STALE_AFTER_DAYS, Assessment, assess, is_affected
from analysis.advisories.records import Bundle, Event, Part
from analysis.advisories.versions import Numbers, of
from tests.analysis.advisories.making import DATED, SEVERE, advisory, affected, bundle, event

CORE = advisory("CVE-1", affected(event("0"), event(fixed="14.24"), event("15"), event(fixed="15.19")))
CRYPTO = advisory(
    "CVE-2",
    affected(event("15"), event(fixed="15.16"), part=Part(component="extension", extensions=["pgcrypto"])),
)
CLIENT = advisory("CVE-3", affected(event("15"), event(fixed="15.19"), part=Part(component="client")))


def assessed(
    text: str,
    of_bundle: Bundle,
    *,
    extensions: set[str] | None = None,
    today: date = DATED,
    product: str = "postgresql",
) -> Assessment:
    return assess(product, text, 0, extensions, of_bundle, today)


def ids(assessment: Assessment) -> list[str]:
    return [match.advisory.id for match in assessment.matches]


def test_a_version_with_a_known_fault_fails_with_where_it_is_fixed_and_how_severe_it_is() -> None:
    assessment = assessed("15.18", bundle(CORE))

    assert assessment.outcome == "fail"
    assert assessment.reason == "postgresql 15.18: 1 known advisory applies."
    [match] = assessment.matches
    assert (match.advisory.id, match.fixed_in, match.confidence) == ("CVE-1", "15.19", "certain")
    assert (match.vector, match.score) == (SEVERE, 8.8)
    assert (assessment.latest, assessment.is_behind) == ("15.19", True)


def test_the_release_that_fixes_it_passes() -> None:
    assessment = assessed("15.19", bundle(CORE))

    assert (assessment.outcome, assessment.reason, assessment.is_behind) == ("pass", None, False)


def test_versions_are_compared_as_numbers_and_not_as_text() -> None:
    assert ids(assessed("15.9", bundle(CORE))) == ["CVE-1"]
    assert ids(assessed("9.6.24", bundle(CORE))) == ["CVE-1"]
    assert ids(assessed("15.100", bundle(CORE))) == []


def test_the_server_version_number_is_believed_before_the_text() -> None:
    assessment = assess("postgresql", "15.0 (somebody's)", 150019, set(), bundle(CORE), DATED)

    assert (assessment.version, assessment.matches) == ("15.19", ())


def test_a_package_of_a_distribution_is_only_possibly_at_fault() -> None:
    [match] = assessed("15.18 (Debian 15.18-0+deb12u1)", bundle(CORE)).matches

    assert match.confidence == "possible"
    assert match.doubt == "The package (Debian 15.18-0+deb12u1) may hold fixes that its version does not tell of."


def test_an_extension_that_is_not_installed_is_no_fault_and_says_why() -> None:
    without = assessed("15.10", bundle(CRYPTO), extensions={"plpgsql"})
    within = assessed("15.10", bundle(CRYPTO), extensions={"plpgsql", "pgcrypto"})
    unseen = assessed("15.10", bundle(CRYPTO), extensions=None)

    assert without.outcome == "pass"
    assert [(one.advisory.id, one.reason) for one in without.not_concerned] == [
        ("CVE-2", "pgcrypto is not installed where this login looked.")
    ]
    assert [match.confidence for match in within.matches] == ["certain"]
    assert [match.doubt for match in unseen.matches] == ["Which extensions are installed could not be seen."]


def test_a_fault_of_client_programs_is_only_possible() -> None:
    assert [match.confidence for match in assessed("15.10", bundle(CLIENT)).matches] == ["possible"]


def test_an_advisory_that_was_withdrawn_is_none() -> None:
    taken_back = advisory("CVE-4", affected(event("0")), withdrawn=True)

    assert assessed("15.1", bundle(taken_back)).outcome == "pass"


def test_another_products_advisories_do_not_count() -> None:
    other = advisory("CVE-5", affected(event("0"), product="mysql"))

    assert assessed("15.1", bundle(other)).outcome == "pass"


def test_past_its_end_of_life_a_line_fails_with_no_advisory() -> None:
    ended = assessed("13.23", bundle())

    assert ended.outcome == "fail"
    assert ended.is_past_end_of_life
    assert ended.reason == "postgresql 13.23: releases 13 got their last fixes on 2025-11-13."


def test_the_last_day_of_a_line_is_not_past_it() -> None:
    last = date(2027, 11, 11)

    assert not assessed("15.19", bundle(dated=last), today=last).is_past_end_of_life
    assert assessed("15.19", bundle(dated=last), today=last + timedelta(days=1)).is_past_end_of_life


def test_a_stale_bundle_says_of_no_version_that_it_is_good() -> None:
    last = DATED + timedelta(days=STALE_AFTER_DAYS)

    assert assessed("15.19", bundle(CORE), today=last).outcome == "pass"
    stale = assessed("15.19", bundle(CORE), today=last + timedelta(days=1))
    assert stale.outcome == "not_evaluated"
    assert stale.reason == "advisory data stale: it is 46 days old, and only 45 are trusted."


def test_a_stale_bundle_still_says_that_a_version_is_bad() -> None:
    assert assessed("15.18", bundle(CORE), today=DATED + timedelta(days=1000)).outcome == "fail"


def test_a_line_that_the_bundle_does_not_know_does_not_pass() -> None:
    assessment = assessed("19.1", bundle(CORE))

    assert assessment.outcome == "not_evaluated"
    assert assessment.reason == "The advisory data knows nothing of postgresql 19."


def test_a_line_of_which_only_some_advisories_are_held_does_not_pass() -> None:
    assessment = assessed("12.22", bundle())

    assert assessment.outcome == "not_evaluated"
    assert assessment.reason == "The advisory data holds only some of the advisories for postgresql 12."


VERSIONS = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2))


@st.composite
def intervals(draw: st.DrawFn) -> tuple[list[Event], list[tuple[Numbers, Numbers | None, bool]]]:
    """Events in any order, and the intervals that they mean: from, until, and whether the end belongs to it."""
    ends = sorted(draw(st.sets(VERSIONS, min_size=1, max_size=8)))
    events: list[Event] = []
    meant: list[tuple[Numbers, Numbers | None, bool]] = []
    for start, end in zip(ends[::2], [*ends[1::2], None], strict=False):
        events.append(event(_text(start)))
        inclusive = end is not None and draw(st.booleans())
        if end is not None:
            events.append(event(last_affected=_text(end)) if inclusive else event(fixed=_text(end)))
        meant.append((start, end, inclusive))
    return draw(st.permutations(events)), meant


def _text(version: Numbers) -> str:
    return ".".join(map(str, version))


@given(intervals(), VERSIONS)
def test_matching_is_that_of_a_plain_reference(
    made: tuple[list[Event], list[tuple[Numbers, Numbers | None, bool]]], version: Numbers
) -> None:
    events, meant = made

    expected = any(
        start <= version and (end is None or version < end or (inclusive and version == end))
        for start, end, inclusive in meant
    )

    assert is_affected(of(_text(version)), affected(*events)) is expected
