"""Runs checks on a session and says of each what became of it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from connectors.errors import ConnectorError, RightsMissing, Unreachable
from connectors.security.check import Check, CheckResult, Outcome, Row, Scope, Session

Progress = Callable[[CheckResult], Awaitable[None]]


async def audit(session: Session, checks: Sequence[Check], *, on_progress: Progress | None = None) -> list[CheckResult]:
    """A result for each check, in their order; `on_progress` is awaited with each as soon as it is known.

    Raises Unreachable when the source is lost: an audit that broke off says nothing about what it did not come to.
    """
    asked = _Asked(session)
    results = []
    for check in checks:
        began = time.monotonic()
        result = replace(await _result(asked, check), seconds=time.monotonic() - began)
        results.append(result)
        if on_progress is not None:
            await on_progress(result)
    return results


class _Asked:
    """A session that asks the same statement once: many checks read the same view."""

    def __init__(self, session: Session) -> None:
        self.server = session.server
        self._session = session
        self._rows: dict[str, list[Row]] = {}

    async def rows(self, statement: str) -> list[Row]:
        if statement not in self._rows:
            self._rows[statement] = await self._session.rows(statement)
        return self._rows[statement]


async def _result(asked: _Asked, check: Check) -> CheckResult:
    reason = check.applies(asked.server)
    if reason is not None:
        return CheckResult(check, Outcome.NOT_APPLICABLE, reason=reason)
    try:
        sees = check.probe is None or _is_true(await asked.rows(check.probe))
        if not sees and not check.partly_visible:
            return CheckResult(check, Outcome.NOT_EVALUATED, reason=check.blind)
        violations = check.judge(await asked.rows(check.statement))
    except Unreachable:
        raise
    except RightsMissing as error:
        return CheckResult(check, Outcome.NOT_EVALUATED, reason=str(error))
    except ConnectorError as error:
        return CheckResult(check, Outcome.ERROR, reason=str(error))
    if violations:
        if check.scope is Scope.DATABASE:
            database = asked.server.database
            violations = [replace(one, object=replace(one.object, database=database)) for one in violations]
        return CheckResult(check, Outcome.FAIL, tuple(violations))
    if not sees:
        return CheckResult(check, Outcome.NOT_EVALUATED, reason=check.blind)
    return CheckResult(check, Outcome.PASS)


def _is_true(rows: Sequence[Row]) -> bool:
    return bool(rows) and bool(next(iter(rows[0].values())))
