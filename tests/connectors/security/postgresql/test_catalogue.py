"""Every check fires where it must and is quiet where it must, by what each login can see."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from audited_postgres import LOGINS, other_address, settings_of
from postgres_server import PostgresServer

from connectors.security.auditing import audit
from connectors.security.catalogue import catalogue, open_audit
from connectors.security.check import CheckResult, Outcome

DOCUMENTED = Path(__file__).parents[4] / "docs" / "security-audits.md"
IDS = [check.id for check in catalogue("postgresql")]
# What the servers of the tests cannot show, and why. Their judges are tested on rows in test_judges.py.
NEVER_FIRES = {
    "PG-TLS-006": "the server of the tests was built without TLS: nobody can be connected by an old version of it",
    "PG-DATA-001": "a page is damaged there, which only shows with checksums; see test_without_checksums",
}
NEVER_QUIET = {
    "PG-TLS-001": "the server of the tests was built without TLS",
    "PG-LOG-014": "the extension pgaudit is not among those of the tests' server",
}
if other_address() is None:
    NEVER_FIRES |= dict.fromkeys(("PG-ROLE-014", "PG-TLS-005"), "this machine has no address but the loopback's")

# How many of the checks come to a verdict (pass or fail) by login, as in docs/security-audits.md.
EVALUATED = {"plain": 67, "monitor": 75, "granted": 82, "postgres": 84}

Results = Mapping[str, CheckResult]


def results_of(server: PostgresServer, login: str) -> Results:
    async def go() -> Results:
        async with open_audit("postgresql", settings_of(server, login)) as session:
            return {result.check.id: result for result in await audit(session, catalogue("postgresql"))}

    return asyncio.run(go())


@pytest.fixture(scope="module")
def of_bad(bad: PostgresServer) -> Mapping[str, Results]:
    return {login: results_of(bad, login) for login in LOGINS}


@pytest.fixture(scope="module")
def of_hardened(hardened: PostgresServer) -> Mapping[str, Results]:
    return {login: results_of(hardened, login) for login in LOGINS}


@pytest.mark.parametrize("check_id", IDS)
def test_fires(of_bad: Mapping[str, Results], check_id: str) -> None:
    expected = Outcome.PASS if check_id in NEVER_FIRES else Outcome.FAIL
    result = of_bad["postgres"][check_id]
    assert result.outcome is expected, result


@pytest.mark.parametrize("check_id", IDS)
def test_is_quiet(of_hardened: Mapping[str, Results], check_id: str) -> None:
    expected = Outcome.FAIL if check_id in NEVER_QUIET else Outcome.PASS
    result = of_hardened["postgres"][check_id]
    assert result.outcome is expected, result


@pytest.mark.parametrize("login", LOGINS)
def test_who_cannot_see_never_passes(of_bad: Mapping[str, Results], login: str) -> None:
    """A weaker login comes to the superuser's verdict or to none, with the reason."""
    for check_id, result in of_bad[login].items():
        if result.outcome is Outcome.NOT_EVALUATED:
            assert result.reason
        else:
            assert result.outcome is of_bad["postgres"][check_id].outcome, result


@pytest.mark.parametrize("login", LOGINS)
def test_coverage(of_hardened: Mapping[str, Results], login: str) -> None:
    outcomes = [result.outcome for result in of_hardened[login].values()]
    assert outcomes.count(Outcome.ERROR) == 0
    assert len(outcomes) - outcomes.count(Outcome.NOT_EVALUATED) == EVALUATED[login]


def test_secrets_do_not_leave_the_server(of_bad: Mapping[str, Results]) -> None:
    shown = repr([result.violations for result in of_bad["postgres"].values()])
    assert "kept" not in shown
    assert "md5" in shown
    assert not re.search("md5[0-9a-f]{32}", shown)


def test_ids_are_unique_and_complete() -> None:
    assert len(set(IDS)) == len(IDS) == 84
    for check in catalogue("postgresql"):
        assert check.probe is None or check.blind, check.id
        assert check.references.cis or check.references.cwe, check.id


def test_the_coverage_that_is_stated() -> None:
    stated = re.findall(r"\| (\d+) of (\d+) \|", DOCUMENTED.read_text(encoding="utf-8"))[: len(LOGINS)]
    assert stated == [(str(EVALUATED[login]), str(len(IDS))) for login in LOGINS]
