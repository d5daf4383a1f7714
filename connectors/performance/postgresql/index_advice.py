"""All advice on the indexes of the connected database."""

from __future__ import annotations

from collections.abc import Callable

from connectors.performance.clock import SourceClock
from connectors.performance.figures import IndexAdvices, Unsupported
from connectors.performance.postgresql.index_catalog import Catalog, catalog_of
from connectors.performance.postgresql.index_missing import missing
from connectors.performance.postgresql.index_rules import UNUSED_AFTER_SECONDS, advices
from connectors.performance.postgresql.session import Session
from connectors.performance.postgresql.statements import Statements


async def index_advice(
    session: Session,
    statements: Statements | Unsupported,
    clock: SourceClock,
    now: Callable[[], float],
    unused_after_seconds: float = UNUSED_AFTER_SECONDS,
) -> IndexAdvices:
    """`now` is our clock in s since 1970."""
    catalog = await catalog_of(session)
    found = advices(catalog, unused_after_seconds)
    unsupported = _unsupported(session, catalog, unused_after_seconds)
    if isinstance(statements, Unsupported):
        unsupported.append(Unsupported("index_advice.missing", statements.reason, statements.remedy))
    else:
        snapshot = await statements.snapshot(clock, now)
        found += await missing(session, catalog, statements, snapshot)
    at_ms = round(now() * 1000)
    return IndexAdvices(at_ms, at_ms - round(catalog.age_seconds * 1000), found, unsupported)


def _unsupported(session: Session, catalog: Catalog, unused_after_seconds: float) -> list[Unsupported]:
    found = []
    if catalog.age_seconds < unused_after_seconds:
        reason = (
            f"the statistics go back {catalog.age_seconds / 86_400:.1f} days; which indexes are unused is told after"
            f" {unused_after_seconds / 86_400:.0f}"
        )
        found.append(Unsupported("index_advice.unused", reason))
    if any(index.width is None and not index.has_expressions for index in catalog.indexes):
        user = session.settings.user
        reason = f"the user {user!r} may not see the statistics of some tables, or they were never analyzed"
        found.append(Unsupported("index_advice.bloated", reason, "GRANT SELECT on the tables, or ANALYZE"))
    return found
