"""Who can read a column, out of the grants that sources tell and of our own policies; pure."""

import pytest

from analysis.access_policies.policies import ColumnChoice, Effect, People, Policy, Rights
from analysis.sensitive.findings import Category, Finding, NameEvidence
from handlers.access import Role
from handlers.security.readable_by import alike, of_file, of_mysql, seen_here
from handlers.security.sensitive_columns import SensitiveColumn, SensitiveDataset
from handlers.source_grants import Asked, FileOwner, OurGrant, SourceGrant, SourceRole

MAIL = ("shop_1", "people", "email")


def mysql(*grants: tuple[str, str, str]) -> Asked:
    """The account `us` and grants as (to whom, on what, what)."""
    account = SourceRole(name="'us'@'%'", login=True, superuser=False, may=[], member_of=[])
    told = [SourceGrant(grantee=who, on=on, privileges=[what]) for who, on, what in grants]
    return Asked(roles=[account], grants=told)


@pytest.mark.parametrize(
    ("on", "reads"),
    [
        ("*.*", True),
        ("shop_1.*", True),
        (r"shop\_1.*", True),
        ("shop%.*", True),
        (r"shop\_%.*", True),
        (r"shop\%.*", False),
        ("shop.*", False),
        ("shop_1.people", True),
        ("shop_1.others", False),
        ("shop_1.people (email)", True),
        ("shop_1.people (city)", False),
    ],
)
def test_grants_of_mysql_are_about_patterns_of_names(on: str, reads: bool) -> None:
    found = of_mysql(mysql(("'ann'@'%'", on, "SELECT")), [MAIL])
    assert found.by_column[MAIL] == (["'ann'@'%'"] if reads else [])
    assert found.access.state == "partly"


def test_other_privileges_than_reading_do_not_count() -> None:
    assert of_mysql(mysql(("'ann'@'%'", "*.*", "INSERT")), [MAIL]).by_column[MAIL] == []


def test_of_mysql_it_is_said_what_was_not_seen() -> None:
    blind = of_mysql(mysql(("'us'@'%'", "shop_1.*", "SELECT")), [MAIL])
    seeing = of_mysql(mysql(("'us'@'%'", "mysql.*", "SELECT")), [MAIL])
    assert "may not read the database `mysql`" in (blind.access.reason or "")
    assert "may not read the database `mysql`" not in (seeing.access.reason or "")
    assert "roles are not followed" in (seeing.access.reason or "")


@pytest.mark.parametrize(
    ("mode", "world", "readers"),
    [
        ("-rw-------", False, ["user ann"]),
        ("-rw-r-----", False, ["user ann", "group staff"]),
        ("-rw-r--r--", True, ["user ann", "group staff", "PUBLIC"]),
    ],
)
def test_of_a_file_its_mode_tells(mode: str, world: bool, readers: list[str]) -> None:
    owner = FileOwner(path="/a.db", owner="ann", group="staff", mode=mode, world_readable=world, world_writable=False)
    found = of_file(Asked(file=owner), [MAIL])
    assert (found.by_column[MAIL], found.access.state) == (readers, "partly")
    assert of_file(Asked(), [MAIL]).access.state == "not_evaluated"


def test_members_whom_the_same_policies_concern_see_the_same() -> None:
    members = [
        OurGrant(user_id=name, role=role, reads=True, manages=False)
        for name, role in (("a", Role.VIEWER), ("b", Role.VIEWER), ("c", Role.EDITOR), ("d", Role.ADMIN))
    ]
    email = ColumnChoice(classifications=("email",))
    policies = [
        Policy(id=1, name="m", dataset=None, rights=Rights(applies_to=People(roles=("viewer",)), columns=email)),
        Policy(
            id=2,
            name="h",
            dataset=None,
            rights=Rights(applies_to=People(users=("b", "c")), columns=email, effect=Effect.HIDE),
        ),
    ]
    finding = Finding(
        type="email",
        title="E-mail address",
        category=Category.PII,
        verdict="is",
        confidence=0.99,
        how="so",
        sampled=10,
        rows=10,
        name=NameEvidence(says="strong", words=["email"], against=[]),
        values=None,
        examples=[],
    )
    dataset = SensitiveDataset(1, "shop_1", "people", columns={"email": SensitiveColumn("email", [finding])})
    groups = alike(members, policies)
    assert [[one.user_id for one in group] for group in groups] == [["a"], ["b"], ["c"], ["d"]]
    [values, masked, nothing] = seen_here(groups, policies, dataset, [])["email"]
    assert (values.user_ids, masked.user_ids, nothing.user_ids) == (["d"], ["a"], ["b", "c"])
    assert len(alike(members, [])) == 1
