"""Audits of real MariaDB servers: what must be found is found, what is well stays quiet, what is hidden is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from audited_mariadb import GRANTED, PLAIN, Audited, bad_mariadb, hardened_mariadb

from connectors.errors import LoginRefused
from connectors.security.auditing import audit
from connectors.security.check import AuditedObject, CheckResult, Outcome, Server
from connectors.security.mysql.servers import version_number
from connectors.security.mysql.source import CATALOGUE, grant_script, open_session

CHANGES = "^Com_(insert|update|delete|replace|load|truncate|create|drop|alter|rename|grant|revoke|set_password|install)"
# What a login without rights cannot know: who has which account and right, and what is in others' databases.
HIDDEN = {
    *(f"MY-ACC-{number:03}" for number in range(1, 13)),
    *(f"MY-OBJ-{number:03}" for number in range(1, 7)),
}
OWN_ACCOUNTS = {"MY-ACC-011"}


@pytest.fixture(scope="module")
def bad() -> Iterator[Audited]:
    with bad_mariadb() as server:
        yield server


@pytest.fixture(scope="module")
def hardened() -> Iterator[Audited]:
    with hardened_mariadb() as server:
        yield server


def results(audited: Audited, user: str) -> dict[str, CheckResult]:
    async def run() -> list[CheckResult]:
        async with open_session(audited.settings(user)) as session:
            return await audit(session, CATALOGUE)

    return {result.check.id: result for result in asyncio.run(run())}


def told(found: dict[str, CheckResult], outcome: Outcome) -> set[str]:
    return {check for check, result in found.items() if result.outcome is outcome}


ALL = {check.id for check in CATALOGUE}


def test_every_check_fires_on_a_bad_server(bad: Audited) -> None:
    found = results(bad, "root")
    assert told(found, Outcome.FAIL) == ALL, {check: result.reason for check, result in found.items()}
    assert len(ALL) == len(CATALOGUE) == 37


def test_every_check_is_quiet_on_a_hardened_server(hardened: Audited) -> None:
    """But for the accounts of these tests, whose driver signs in with nothing better."""
    found = results(hardened, "root")
    assert told(found, Outcome.PASS) == ALL - OWN_ACCOUNTS, {
        check: (result.reason, result.violations) for check, result in found.items() if result.outcome != Outcome.PASS
    }
    assert {violation.object.name for violation in found["MY-ACC-011"].violations} == {"root", PLAIN, GRANTED}


def test_the_grant_script_shows_as_much_as_root_sees(bad: Audited, hardened: Audited) -> None:
    for audited in (bad, hardened):
        as_root, as_granted = results(audited, "root"), results(audited, GRANTED)
        assert {check: (result.outcome, result.violations) for check, result in as_granted.items()} == {
            check: (result.outcome, result.violations) for check, result in as_root.items()
        }


def test_the_grant_script_says_which_account_it_takes_the_login_for() -> None:
    script = grant_script("o'neil")
    assert "TO 'o''neil'@'%';" in script
    assert "put its host instead" in script
    assert "instead" not in grant_script("o'neil@10.0.0.1")


def test_the_grant_script_lets_no_row_be_read(bad: Audited) -> None:
    rights = bad.server.execute(f"SHOW GRANTS FOR {GRANTED}@'%'")
    on = {str(right).split(" ON ")[1].split(" TO ")[0] for (right,) in rights}
    assert on == {"*.*", "`open`.`nothing`"} | {
        f"`mysql`.`{table}`" for table in ("user", "db", "tables_priv", "func", "global_priv", "proc", "event")
    }
    [everywhere] = [right for (right,) in rights if " ON *.*" in right]
    assert everywhere.startswith("GRANT SHOW VIEW ON *.*")


def test_what_a_login_without_rights_cannot_see_never_passes(bad: Audited, hardened: Audited) -> None:
    on_bad = results(bad, PLAIN)
    assert told(on_bad, Outcome.NOT_EVALUATED) == HIDDEN
    assert told(on_bad, Outcome.FAIL) == ALL - HIDDEN
    assert all(on_bad[check].reason for check in HIDDEN)
    on_hardened = results(hardened, PLAIN)
    assert told(on_hardened, Outcome.NOT_EVALUATED) == HIDDEN
    assert told(on_hardened, Outcome.PASS) == ALL - HIDDEN


def test_violations_say_what_they_are_about(bad: Audited) -> None:
    found = results(bad, GRANTED)

    def objects(check: str) -> set[AuditedObject]:
        return {violation.object for violation in found[check].violations}

    assert objects("MY-ACC-001") == {AuditedObject("account", "", part="10.0.0.%")}
    assert AuditedObject("account", "nopassword", part="10.0.0.%") in objects("MY-ACC-002")
    assert AuditedObject("account", "mariadb.sys", part="localhost") not in objects("MY-ACC-002")
    assert objects("MY-ACC-009") == {AuditedObject("account", "wide", part="%")}
    assert objects("MY-ACC-010") == {AuditedObject("account", "wide", schema="shop%", part="%")}
    assert objects("MY-OBJ-003") == {AuditedObject("view", "everything", schema="app")}
    assert objects("MY-OBJ-004") == {AuditedObject("table", "old", schema="app")}
    [powerful] = [each for each in found["MY-ACC-005"].violations if each.object.name == "powerful"]
    assert found["MY-ACC-005"].check.remediation(powerful).sql == "REVOKE SUPER ON *.* FROM 'powerful'@'10.0.0.%';"


def test_evidence_holds_no_password_hash(bad: Audited) -> None:
    hashes = [row[0] for row in bad.server.execute("SELECT authentication_string FROM mysql.user") if row[0]]
    assert hashes
    shown = str([result.violations for result in results(bad, "root").values()])
    assert not [each for each in hashes if each in shown]


def test_nothing_is_written(bad: Audited) -> None:
    """By the server's own count of statements that change anything, as root who may."""
    statement = f"SHOW GLOBAL STATUS WHERE Variable_name REGEXP '{CHANGES}'"
    before = bad.server.execute(statement)
    results(bad, "root")
    assert bad.server.execute(statement) == before


def test_an_account_that_the_driver_cannot_sign_in_with_is_refused_in_words(hardened: Audited) -> None:
    with pytest.raises(LoginRefused, match=r"ed25519.*give it mysql_native_password"):
        results(hardened, "modern")


def test_what_means_nothing_on_the_other_server_says_so() -> None:
    mysql, mariadb = Server("mysql", "8.4.3", 80403), Server("mariadb", "10.11.19-MariaDB", 101119)
    reasons = {check.id: reason for check in CATALOGUE if (reason := check.applies(mysql)) is not None}
    assert set(reasons) == {"MY-ACC-014", "MY-CFG-003"}
    assert "FAILED_LOGIN_ATTEMPTS" in reasons["MY-ACC-014"]
    assert [check.id for check in CATALOGUE if check.applies(mariadb) is not None] == []


@pytest.mark.parametrize(
    ("text", "number"),
    [("5.5.5-10.11.19-MariaDB-0+deb12u1", 101119), ("8.0.36", 80036), ("9.1.0-commercial", 90100), ("unknown", 0)],
)
def test_versions_compare_as_numbers(text: str, number: int) -> None:
    assert version_number(text) == number
