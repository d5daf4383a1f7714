"""From visits to samples, with a marker (NaN) wherever a series does not go on from the sample before.

Whoever computes rates takes consecutive samples of a counter with no marker between them. So whatever happens to a
source, to its statistics or to whoever visits it, there has to be a marker between samples of different epochs: a
counter that began anew and was busy since may well be beyond its old value. All of this is pure; what was seen last
is a `Standing`, one for each level of visits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from connectors.performance.figures import COUNTER, Figure, Labels, Visit

# A visit that comes later than this many intervals after the one before leaves a gap. One that was missed or is late
# does not: what a counter came to meanwhile is known all the same.
PATIENCE = 2.5

Key = tuple[str, Labels]


@dataclass(frozen=True, slots=True)
class Sample:
    """A figure at a time. Its value is NaN in a marker: from here on nothing is known."""

    at_ms: int
    figure: Figure


@dataclass(frozen=True, slots=True)
class GroupStanding:
    """`figures` by key, as the last visit brought them; None for a standing that was read back."""

    epoch: str
    figures: Mapping[Key, Figure] | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the last visit saw that counts.

    It is one of visits that follow each other since `since_ms`; from `floor_ms` to there no samples are. `ahead` is a
    later stretch of time that has samples already, of a clock that was wrong, between two markers.
    """

    at_ms: int
    server: str
    groups: Mapping[str, GroupStanding]
    since_ms: int
    floor_ms: int
    ahead: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Followed:
    """`standing` is what to follow the next visit with. A visit that `is_too_early` left no samples: the clock was set
    back to where there are some already, which they would fall among, and is waited for."""

    standing: Standing
    samples: list[Sample]
    is_too_early: bool = False


def follow(before: Standing | None, visit: Visit, interval_ms: int) -> Followed:
    """The samples of a visit. `before` is None when nothing is known of visits before."""
    at_ms = visit.at_ms
    groups = {
        group.name: GroupStanding(
            group.epoch, {figure[:2]: figure for figure in group.figures if math.isfinite(figure.value)}
        )
        for group in visit.groups
    }
    if before is None:
        # What samples there are before is not known.
        standing = Standing(at_ms, visit.server, groups, since_ms=at_ms, floor_ms=at_ms)
        return Followed(standing, _samples(None, standing))
    if _is_ahead(before, at_ms):
        return Followed(before, [], is_too_early=True)
    # A marker needs a millisecond of its own.
    if at_ms < before.at_ms + 2:
        return _put_right(before, Standing(at_ms, visit.server, groups, at_ms, before.floor_ms))
    if before.ahead is not None and at_ms > before.ahead[1]:
        # The stretch that lay ahead has markers of its own.
        standing = Standing(at_ms, visit.server, groups, at_ms, before.ahead[1])
        return Followed(standing, _samples(None, standing))
    if at_ms - before.at_ms > PATIENCE * interval_ms:
        end_ms = min(before.at_ms + interval_ms, at_ms - 1)
        standing = Standing(at_ms, visit.server, groups, at_ms, end_ms, before.ahead)
        return Followed(standing, [*_markers(before, end_ms), *_samples(None, standing)])
    standing = Standing(at_ms, visit.server, groups, before.since_ms, before.floor_ms, before.ahead)
    return Followed(standing, [*_vanished(before, standing), *_samples(before, standing)])


def interrupted(before: Standing, at_ms: int) -> Followed:
    """Markers on everything from now on: the source does not answer, or is not to be visited any more."""
    if at_ms <= before.at_ms or _is_ahead(before, at_ms):
        return Followed(before, [], is_too_early=True)
    return Followed(replace(before, at_ms=at_ms, groups={}), _markers(before, at_ms))


def _is_ahead(before: Standing, at_ms: int) -> bool:
    return before.ahead is not None and before.ahead[0] <= at_ms + 1 and at_ms - 1 <= before.ahead[1]


def _put_right(before: Standing, now: Standing) -> Followed:
    """The clock was set back: to before it was wrong, so that all since then is a stretch by itself; or not so far."""
    is_free = before.floor_ms + 2 <= now.at_ms < before.since_ms - 2 and before.ahead is None
    if not is_free or any(group.figures is None for group in before.groups.values()):
        return Followed(before, [], is_too_early=True)
    end_ms = before.at_ms + 1
    standing = replace(now, ahead=(before.since_ms - 1, end_ms))
    return Followed(standing, [*_markers(before, end_ms), *_samples(None, standing)])


def _samples(before: Standing | None, now: Standing) -> list[Sample]:
    return [sample for name, group in now.groups.items() for sample in _of_group(before, now, name, group)]


def _of_group(before: Standing | None, now: Standing, name: str, group: GroupStanding) -> list[Sample]:
    known = before.groups.get(name) if before is not None and before.server == now.server else None
    goes_on = known is not None and known.epoch == group.epoch
    samples = []
    for key, figure in (group.figures or {}).items():
        is_known = known is not None and (known.figures is None or key in known.figures)
        # A gauge is no sum since the epoch began: it goes on.
        if not is_known or (not goes_on and figure.kind == COUNTER):
            samples.append(_marker(figure, now.at_ms - 1))
        samples.append(Sample(now.at_ms, figure))
    return samples


def _vanished(before: Standing, now: Standing) -> list[Sample]:
    """Markers on what the visit before brought and this one does not."""
    here = {key for group in now.groups.values() for key in group.figures or {}}
    return [
        _marker(figure, now.at_ms)
        for group in before.groups.values()
        for key, figure in (group.figures or {}).items()
        if key not in here
    ]


def _markers(before: Standing, at_ms: int) -> list[Sample]:
    return [_marker(figure, at_ms) for group in before.groups.values() for figure in (group.figures or {}).values()]


def _marker(figure: Figure, at_ms: int) -> Sample:
    return Sample(at_ms, figure._replace(value=math.nan))


class _Remembered(msgspec.Struct):
    at_ms: int
    server: str
    groups: dict[str, str]
    ahead: tuple[int, int] | None = None


def remembered(standings: Mapping[str, Standing]) -> str:
    """JSON of what the next collector needs to know: short, so without the figures. To be written after the samples."""
    return msgspec.json.encode(
        {
            level: _Remembered(
                one.at_ms, one.server, {name: group.epoch for name, group in one.groups.items()}, one.ahead
            )
            for level, one in standings.items()
        }
    ).decode()


def recalled(text: str, newest_ms: Mapping[str, int]) -> dict[str, Standing]:
    """What `remembered` wrote, by level, as far as it is of the newest samples.

    `newest_ms` is when the newest sample of each level was taken that is stored. Where that is another one, a
    collector died between writing samples and what it remembered of them; then nothing goes on, and what comes has to
    be later.
    """
    try:
        noted = msgspec.json.decode(text or "{}", type=dict[str, _Remembered])
    except msgspec.DecodeError:
        noted = {}
    return {level: _recalled(noted.get(level), newest) for level, newest in newest_ms.items()}


def _recalled(noted: _Remembered | None, newest_ms: int) -> Standing:
    if noted is None or noted.at_ms != newest_ms:
        return Standing(newest_ms, "", {}, newest_ms, newest_ms)
    groups = {name: GroupStanding(epoch, None) for name, epoch in noted.groups.items()}
    return Standing(newest_ms, noted.server, groups, newest_ms, newest_ms, noted.ahead)
