"""Every check fires where it must and is quiet where it must, by what each login can see."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from audited_postgres import LOGINS, encrypt, encrypted_session, other_address, settings_of
from postgres_server import PostgresServer, debian_programs, running_postgres

from connectors.security.auditing import audit
from connectors.security.catalogue import catalogue, open_audit
from connectors.security.check import CheckResult, Outcome

DOCUMENTED = Path(__file__).parents[4] / "docs" / "security-audits.md"
IDS = [check.id for check in catalogue("postgresql")]
# What the servers of the tests cannot show, and why. Their judges are tested on rows in test_judges.py.
NEVER_FIRES = {
    "PG-TLS-006": "see test_a_session_by_an_old_version_of_tls",
    "PG-DATA-001": "a page is damaged there, which only shows with checksums; see test_without_checksums",
}
NEVER_QUIET = {
    "wheel": {
        "PG-TLS-001": "the server was built without TLS",
        "PG-LOG-014": "the extension pgaudit is not among those of the server",
    },
    "debian": {"PG-LOG-014": "the extension pgaudit is not among those of the server"},
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


@dataclass(frozen=True)
class Seen:
    """What each login sees of the bad server and of the hardened one, both of a version."""

    version: str
    bad: Mapping[str, Results]
    hardened: Mapping[str, Results]


@pytest.fixture(scope="module", params=["wheel", "debian"])
def seen(request: pytest.FixtureRequest) -> Seen:
    names = ("bad", "hardened") if request.param == "wheel" else ("older_bad", "older_hardened")
    bad, hardened = ({login: results_of(request.getfixturevalue(name), login) for login in LOGINS} for name in names)
    return Seen(request.param, bad, hardened)


@pytest.mark.parametrize("login", LOGINS)
def test_every_check_fires_where_it_must_and_is_quiet_where_it_must(seen: Seen, login: str) -> None:
    """A superuser comes to the verdict; a weaker login to the same, or to none with the reason."""
    wrong = {}
    for check_id in IDS:
        on_bad = Outcome.PASS if check_id in NEVER_FIRES else Outcome.FAIL
        on_hardened = Outcome.FAIL if check_id in NEVER_QUIET[seen.version] else Outcome.PASS
        for results, verdict in ((seen.bad[login], on_bad), (seen.hardened[login], on_hardened)):
            result = results[check_id]
            is_blind = login != "postgres" and result.outcome is Outcome.NOT_EVALUATED and bool(result.reason)
            if result.outcome is not verdict and not is_blind:
                wrong[check_id, verdict] = result
    assert not wrong


@pytest.mark.parametrize("login", LOGINS)
def test_coverage(seen: Seen, login: str) -> None:
    outcomes = [result.outcome for result in seen.hardened[login].values()]
    assert outcomes.count(Outcome.ERROR) == 0
    assert len(outcomes) - outcomes.count(Outcome.NOT_EVALUATED) == EVALUATED[login]


def test_secrets_do_not_leave_the_server(seen: Seen) -> None:
    shown = repr([result.violations for result in seen.bad["postgres"].values()])
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


def test_a_session_by_an_old_version_of_tls() -> None:
    settings = ("ssl_min_protocol_version=TLSv1", "ssl_ciphers=ALL:@SECLEVEL=0")
    with running_postgres(settings, programs=debian_programs()) as server:
        encrypt(server)
        assert results_of(server, "postgres")["PG-TLS-006"].outcome is Outcome.PASS
        with contextlib.closing(encrypted_session(server, ssl.TLSVersion.TLSv1_1)):
            found = results_of(server, "postgres")["PG-TLS-006"]
        assert found.outcome is Outcome.FAIL
        assert [dict(violation.evidence) for violation in found.violations] == [{"protocol": "TLSv1.1"}]
