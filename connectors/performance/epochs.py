"""From visits to samples, with a marker (NaN) wherever a series does not go on from the sample before.

Whoever computes rates takes consecutive samples of a counter with no marker between them. So whatever happens to a
source, to its statistics or to whoever visits it, there has to be a marker between samples of different epochs: a
counter that began anew and was busy since may well be beyond its old value. All of this is pure; what was seen last
is a `Standing`, one for each level of visits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

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
    """What the last visit saw that counts."""

    at_ms: int
    server: str
    groups: Mapping[str, GroupStanding]


@dataclass(frozen=True, slots=True)
class Followed:
    """`standing` is what to follow the next visit with. A visit that `is_too_early` left no samples: it is not later
    than the one before, so the clock was set back, and samples would fall among others that they do not belong to."""

    standing: Standing
    samples: list[Sample]
    is_too_early: bool = False


def follow(before: Standing | None, visit: Visit, interval_ms: int) -> Followed:
    """The samples of a visit. `before` is None when nothing is known of visits before."""
    # A marker needs a millisecond of its own.
    if before is not None and visit.at_ms < before.at_ms + 2:
        return Followed(before, [], is_too_early=True)
    groups = {
        group.name: GroupStanding(
            group.epoch, {figure[:2]: figure for figure in group.figures if math.isfinite(figure.value)}
        )
        for group in visit.groups
    }
    standing = Standing(visit.at_ms, visit.server, groups)
    samples: list[Sample] = []
    if before is not None and visit.at_ms - before.at_ms > PATIENCE * interval_ms:
        samples += _markers(before, min(before.at_ms + interval_ms, visit.at_ms - 1))
        before = None
    elif before is not None:
        samples += _vanished(before, standing)
    for name, group in groups.items():
        samples += _of_group(before, standing, name, group)
    return Followed(standing, samples)


def interrupted(before: Standing, at_ms: int) -> Followed:
    """Markers on everything from now on: the source does not answer, or is not to be visited any more."""
    if at_ms <= before.at_ms:
        return Followed(before, [], is_too_early=True)
    return Followed(Standing(at_ms, before.server, {}), _markers(before, at_ms))


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


def remembered(standings: Mapping[str, Standing]) -> str:
    """JSON of what the next collector needs to know: short, so without the figures. To be written after the samples."""
    return msgspec.json.encode(
        {
            level: _Remembered(one.at_ms, one.server, {name: group.epoch for name, group in one.groups.items()})
            for level, one in standings.items()
        }
    ).decode()


def recalled(text: str, newest_ms: Mapping[str, int]) -> dict[str, Standing]:
    """What `remembered` wrote, by level, as far as it is of the newest samples.

    `newest_ms` is when the newest sample of each level was taken that is stored. Where that is another one, a
    collector died between writing samples and what it remembered of them; nothing is known then.
    """
    try:
        levels = msgspec.json.decode(text or "{}", type=dict[str, _Remembered])
    except msgspec.DecodeError:
        return {}
    return {
        level: Standing(one.at_ms, one.server, {name: GroupStanding(epoch, None) for name, epoch in one.groups.items()})
        for level, one in levels.items()
        if newest_ms.get(level) == one.at_ms
    }
