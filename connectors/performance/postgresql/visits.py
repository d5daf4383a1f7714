"""Visits of one session: what each level reads, as one prepared statement."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from connectors.errors import StatementFailed, StatementTimeout
from connectors.performance.clock import SourceClock
from connectors.performance.figures import Level, Unsupported, Visit
from connectors.performance.postgresql import databases, relations, server, sessions
from connectors.performance.postgresql.sections import Section, SectionReading, visit_sql
from connectors.performance.postgresql.session import Session

SECTIONS = (*server.SECTIONS, *databases.SECTIONS, *sessions.SECTIONS, *relations.SECTIONS)
# Rights are given and extensions made while we look on.
_ASKED_AGAIN_SECONDS = 600.0
_POOLED = Unsupported(
    "direct_connection",
    "a connection pooler answers; figures of different servers must not be mixed, so give the address of the database"
    " itself",
)


@dataclass(slots=True)
class _Plan:
    """What a level reads of this server."""

    sql: str
    readings: list[SectionReading]
    unsupported: list[Unsupported]
    made_at: float
    takes_shown: bool = False
    shown: list[int] = field(default_factory=list)


class Visits:
    """`now` is our clock in s since 1970."""

    def __init__(self, session: Session, clock: SourceClock, now: Callable[[], float] = time.time) -> None:
        self._session = session
        self._clock = clock
        self._now = now
        self._plans: dict[Level, _Plan] = {}

    async def visit(self, level: Level) -> Visit:
        plan = self._plans.get(level)
        if plan is None or (plan.unsupported and time.monotonic() - plan.made_at > _ASKED_AGAIN_SECONDS):
            plan = self._plans[level] = await self._planned(level, plan)
        try:
            return await self._read(plan)
        except StatementTimeout:
            raise
        except StatementFailed:
            # One section that this server does not let us read is not to hide the others.
            plan = self._plans[level] = await self._without_broken(level, plan)
            return await self._read(plan)

    async def _planned(self, level: Level, before: _Plan | None) -> _Plan:
        sections, unsupported = await self._session.readable(one for one in SECTIONS if one.level is level)
        facts = self._session.facts
        if facts.is_pooled:
            unsupported.append(_POOLED)
        if facts.databases > databases.SHOWN and level is not Level.MEDIUM:
            reason = (
                f"the server has {facts.databases} databases; {databases.SHOWN} are told, the connected one among them"
            )
            unsupported.append(Unsupported("databases", reason))
        plan = _plan(level, sections, unsupported)
        if before is not None:
            plan.shown = before.shown
        return plan

    async def _without_broken(self, level: Level, plan: _Plan) -> _Plan:
        sections, unsupported = [], list(plan.unsupported)
        for section in (reading.section for reading in plan.readings):
            try:
                await self._read(_plan(level, [section], []))
            except StatementTimeout:
                raise
            except StatementFailed as error:
                unsupported.append(Unsupported(section.name, str(error), None))
            else:
                sections.append(section)
        return _plan(level, sections, unsupported)

    async def _read(self, plan: _Plan) -> Visit:
        asked = self._now()
        arguments = (plan.shown,) if plan.takes_shown else ()
        started = time.perf_counter()
        [row] = await self._session.rows(plan.sql, *arguments)
        cost = time.perf_counter() - started
        identity, shown, *answers = msgspec.json.decode(next(iter(row.values())))
        cluster, since, life, in_recovery, at_us = identity
        plan.shown = shown or []
        return Visit(
            at_ms=self._clock.ours(at_us / 1000, asked * 1000, (asked + cost) * 1000),
            server=f"{cluster}/{since}/{life}/{'standby' if in_recovery else 'primary'}",
            groups=[
                group
                for reading, answer in zip(plan.readings, answers, strict=True)
                for group in reading.groups(answer)
            ],
            cost_seconds=cost,
            unsupported=plan.unsupported,
        )


def _plan(level: Level, sections: list[Section], unsupported: list[Unsupported]) -> _Plan:
    has_relations = level is Level.SLOW
    sql = visit_sql(sections, relations.BEFORE, relations.SHOWN_NOW) if has_relations else visit_sql(sections)
    readings = [SectionReading(section) for section in sections]
    return _Plan(sql, readings, unsupported, time.monotonic(), takes_shown=has_relations)
