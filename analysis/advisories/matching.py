"""Which advisories a server's version is open to, and whether its line of releases is still looked after.

A version that is known to be bad stays bad however old the bundle is. That a version is good is said only by a bundle
that is fresh and that holds all advisories of its line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from analysis.advisories import scores
from analysis.advisories.records import Advisory, Affected, Bundle, Event, Line, Severity
from analysis.advisories.versions import Numbers, Version, line_of, of, parse

# The vendors publish at least once a quarter, and half of that is the longest that a bundle misses a release by.
STALE_AFTER_DAYS = 45

Confidence = Literal["certain", "possible"]


@dataclass(frozen=True, slots=True)
class Match:
    """An advisory whose range holds the version.

    `score` is the number of `vector`, both None where nobody published one. `doubt` says why it is only `possible`.
    """

    advisory: Advisory
    fixed_in: str | None
    confidence: Confidence
    doubt: str | None
    vector: str | None
    score: float | None


@dataclass(frozen=True, slots=True)
class NotConcerned:
    """An advisory whose range holds the version, but whose part is not there; `reason` is the evidence."""

    advisory: Advisory
    reason: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """All that a bundle says of one version on one day; `reason` is a sentence unless the outcome is `pass`.

    `latest` and `end_of_life` are None where the bundle does not know them. `is_behind`: there is a newer release of
    the line, whether or not it closes a known fault.
    """

    outcome: Literal["pass", "fail", "not_evaluated"]
    reason: str | None
    version: str
    matches: tuple[Match, ...]
    not_concerned: tuple[NotConcerned, ...]
    end_of_life: date | None
    is_past_end_of_life: bool
    latest: str | None
    is_behind: bool
    bundle_version: int
    bundle_dated: date
    bundle_age_days: int


def age_days(bundle: Bundle, today: date) -> int:
    return max(0, (today - bundle.dated).days)


def is_stale(bundle: Bundle, today: date) -> bool:
    return age_days(bundle, today) > STALE_AFTER_DAYS


def assess(
    product: str,
    version_text: str,
    version_num: int,
    extensions: Collection[str] | None,
    bundle: Bundle,
    today: date,
) -> Assessment:
    """What `bundle` says of a server.

    `product` is postgresql, mysql, mariadb or sqlite, `version_text` what the server says of itself, `version_num`
    PostgreSQL's server_version_num or 0, `extensions` the names of those installed, None where they could not be
    seen. Raises ValueError where the text holds no version.
    """
    version = parse(product, version_text, version_num)
    line = _line(product, version, bundle)
    matches: list[Match] = []
    not_concerned: list[NotConcerned] = []
    for advisory, affected in _affecting(product, version.numbers, bundle):
        absent = _absent(affected, extensions)
        if absent:
            not_concerned.append(NotConcerned(advisory, absent))
        else:
            matches.append(_match(advisory, affected, version, extensions))
    matches.sort(key=lambda match: (-(match.score or 0.0), match.advisory.id))
    ended = line is not None and line.end_of_life is not None and line.end_of_life < today
    outcome, reason = _judge(product, version, line, matches, ended, bundle, today)
    return Assessment(
        outcome,
        reason,
        str(version),
        tuple(matches),
        tuple(not_concerned),
        line.end_of_life if line else None,
        ended,
        line.latest if line else None,
        line is not None and line.latest is not None and version.numbers < of(line.latest),
        bundle.version,
        bundle.dated,
        age_days(bundle, today),
    )


def is_affected(numbers: Numbers, affected: Affected) -> bool:
    """Whether the version is named, or lies in one of the ranges: events in their order, the last one at or below the
    version decides (https://ossf.github.io/osv-schema/#evaluation)."""
    if any(of(version) == numbers for version in affected.versions):
        return True
    return any(_is_within(numbers, one.events) for one in affected.ranges)


def _is_within(numbers: Numbers, events: Sequence[Event]) -> bool:
    within = False
    for at, kind in sorted(_steps(events)):
        if kind == _INTRODUCED and numbers >= at:
            within = True
        elif (kind == _FIXED and numbers >= at) or (kind == _LAST_AFFECTED and numbers > at):
            within = False
    return within


# In the order in which they count at the same version: what is fixed and comes in again there is in.
_FIXED, _INTRODUCED, _LAST_AFFECTED = range(3)


def _steps(events: Sequence[Event]) -> Iterator[tuple[Numbers, int]]:
    for event in events:
        for kind, text in (
            (_FIXED, event.fixed),
            (_INTRODUCED, event.introduced),
            (_LAST_AFFECTED, event.last_affected),
        ):
            if text is not None:
                yield of(text), kind


def _affecting(product: str, numbers: Numbers, bundle: Bundle) -> Iterator[tuple[Advisory, Affected]]:
    for advisory in bundle.advisories:
        if advisory.withdrawn is not None:
            continue
        for affected in advisory.affected:
            if affected.package.name == product and is_affected(numbers, affected):
                yield advisory, affected
                break


def _absent(affected: Affected, extensions: Collection[str] | None) -> str | None:
    part = affected.database_specific
    if part.component != "extension" or extensions is None or not part.extensions:
        return None
    if not set(part.extensions).isdisjoint(extensions):
        return None
    several = len(part.extensions) > 1
    return f"{' and '.join(part.extensions)} {'are' if several else 'is'} not installed where this login looked."


def _match(advisory: Advisory, affected: Affected, version: Version, extensions: Collection[str] | None) -> Match:
    doubt = _doubt(affected, version, extensions)
    vector: Severity | None = scores.newest(affected.severity or advisory.severity)
    return Match(
        advisory,
        _first_fixed(version.numbers, affected),
        "possible" if doubt else "certain",
        doubt,
        vector.score if vector else None,
        scores.base_score(vector) if vector else None,
    )


def _doubt(affected: Affected, version: Version, extensions: Collection[str] | None) -> str | None:
    if version.packaging is not None:
        return f"The package ({version.packaging}) may hold fixes that its version does not tell of."
    part = affected.database_specific
    if part.component == "client":
        return "The fault is in client programs, which need not be of the server's version."
    if part.component == "extension" and extensions is None:
        return "Which extensions are installed could not be seen."
    return None


def _first_fixed(numbers: Numbers, affected: Affected) -> str | None:
    """The nearest release above the version that ends the range which the version is in."""
    fixes = [text for one in affected.ranges for event in one.events if (text := event.fixed) is not None]
    return min((text for text in fixes if of(text) > numbers), key=of, default=None)


def _line(product: str, version: Version, bundle: Bundle) -> Line | None:
    name = of(line_of(product, version.numbers))
    lines = next((lines for known, lines in bundle.lines.items() if known == product), [])
    return next((line for line in lines if of(line.line) == name), None)


def _judge(
    product: str,
    version: Version,
    line: Line | None,
    matches: Sequence[Match],
    ended: bool,
    bundle: Bundle,
    today: date,
) -> tuple[Literal["pass", "fail", "not_evaluated"], str | None]:
    faults = (
        [f"{len(matches)} known {'advisory applies' if len(matches) == 1 else 'advisories apply'}"] if matches else []
    )
    if ended and line is not None:
        faults.append(f"releases {line.line} got their last fixes on {line.end_of_life}")
    if faults:
        return "fail", f"{product} {version}: {', and '.join(faults)}."
    if is_stale(bundle, today):
        age = age_days(bundle, today)
        return "not_evaluated", f"advisory data stale: it is {age} days old, and only {STALE_AFTER_DAYS} are trusted."
    if line is None:
        return "not_evaluated", f"The advisory data knows nothing of {product} {line_of(product, version.numbers)}."
    if line.complete_since is None or version.numbers < of(line.complete_since):
        return "not_evaluated", f"The advisory data holds only some of the advisories for {product} {line.line}."
    return "pass", None
