"""What is different between two snapshots, and for whom it breaks something."""

from __future__ import annotations

import random
from typing import Any

import pytest

from analysis.schema_changes.changes import Change, ChangeKind, Side, differences, summary
from analysis.schema_changes.snapshots import Column, Dataset, ForeignKey, Snapshot
from analysis.schema_changes.types import is_same, is_wider

COLUMNS = (
    Column(name="id", type="bigint", nullable=False),
    Column(name="customer_id", type="bigint", nullable=False),
    Column(name="total", type="numeric(10,2)"),
    Column(name="status", type="text", nullable=False, default="'new'"),
)


def table(*columns: Column, name: str = "orders", **keys: Any) -> Dataset:
    return Dataset(name=name, columns=columns or COLUMNS, **keys)


def between(before: Dataset | None, after: Dataset | None) -> list[Change]:
    return differences(Snapshot(datasets=(before,) if before else ()), Snapshot(datasets=(after,) if after else ()))


def replaced(of: str, **changes: Any) -> tuple[Column, ...]:
    def change(column: Column) -> Column:
        values = {"name": column.name, "type": column.type, "nullable": column.nullable, "default": column.default}
        return Column(**{**values, **changes}) if column.name == of else column

    return tuple(change(column) for column in COLUMNS)


def one(changes: list[Change]) -> tuple[ChangeKind, str | None, set[str]]:
    [change] = changes
    return change.kind, change.column, {side.value for side in change.breaks}


def test_nothing() -> None:
    assert between(table(), table()) == []
    assert summary([]) == "Nothing has changed."


def test_datasets_come_and_go() -> None:
    [gone] = between(table(), None)
    assert (gone.kind, gone.is_breaking, gone.sentence) == (
        ChangeKind.DATASET_REMOVED,
        True,
        "The table orders is gone.",
    )
    [come] = between(None, table(COLUMNS[0]))
    assert (come.is_breaking, come.sentence) == (False, "The table orders is new, with 1 column.")
    [other] = between(table(), table(kind="view"))
    assert (other.kind, set(other.breaks)) == (ChangeKind.DATASET_KIND_CHANGED, {Side.WRITERS})


BOTH = {"readers", "writers"}
CASES: dict[str, tuple[tuple[Column, ...], ChangeKind, str, set[str]]] = {
    "a column that may be empty": (
        (*COLUMNS, Column(name="note", type="text")),
        ChangeKind.COLUMN_ADDED,
        "note",
        set(),
    ),
    "a column that must be given": (
        (*COLUMNS, Column(name="note", type="text", nullable=False)),
        ChangeKind.COLUMN_ADDED,
        "note",
        {"writers"},
    ),
    "a column that has a default": (
        (*COLUMNS, Column(name="note", type="text", nullable=False, default="''")),
        ChangeKind.COLUMN_ADDED,
        "note",
        set(),
    ),
    "a column that is gone": (COLUMNS[:3], ChangeKind.COLUMN_REMOVED, "status", BOTH),
    "a wider type": (replaced("total", type="numeric(12,2)"), ChangeKind.TYPE_CHANGED, "total", set()),
    "a narrower type": (replaced("total", type="numeric(8,2)"), ChangeKind.TYPE_CHANGED, "total", BOTH),
    "another type": (replaced("id", type="uuid"), ChangeKind.TYPE_CHANGED, "id", BOTH),
    "it may be empty now": (replaced("id", nullable=True), ChangeKind.NULLABLE_CHANGED, "id", {"readers"}),
    "it must be given now": (replaced("total", nullable=False), ChangeKind.NULLABLE_CHANGED, "total", {"writers"}),
    "another default": (replaced("status", default="'x'"), ChangeKind.DEFAULT_CHANGED, "status", set()),
    "no default": (replaced("status", default=None), ChangeKind.DEFAULT_CHANGED, "status", {"writers"}),
    "a default": (replaced("total", default="0"), ChangeKind.DEFAULT_CHANGED, "total", set()),
}


@pytest.mark.parametrize("name", CASES)
def test_columns(name: str) -> None:
    columns, kind, column, breaks = CASES[name]
    changes = between(table(), table(*columns))
    assert one(changes) == (kind, column, breaks)
    assert changes[0].sentence.endswith(".")
    assert not changes[0].is_guess


def test_another_spelling_of_a_type_is_no_change() -> None:
    assert between(table(), table(*replaced("id", type="int8"))) == []


def test_order() -> None:
    [change] = between(table(), table(*COLUMNS[::-1]))
    assert (change.kind, change.is_breaking) == (ChangeKind.COLUMNS_REORDERED, False)


def test_a_renamed_column_is_a_guess() -> None:
    [change] = between(table(), table(*replaced("customer_id", name="client_id")))
    assert (change.kind, change.before, change.after) == (ChangeKind.COLUMN_RENAMED, "customer_id", "client_id")
    assert change.is_breaking
    assert change.is_guess
    assert "seems to be called client_id now" in change.sentence
    assert summary([change]) == "1 change, 1 of them breaking; 1 of them are guesses about renames."


def test_what_is_not_alike_was_not_renamed() -> None:
    kinds = {
        change.kind for change in between(table(), table(*replaced("status", name="zip", type="integer", default=None)))
    }
    assert kinds == {ChangeKind.COLUMN_REMOVED, ChangeKind.COLUMN_ADDED}


def test_two_that_could_be_it_are_none() -> None:
    before = table(Column(name="id", type="int"), Column(name="name", type="text"))
    after = table(Column(name="id", type="int"), Column(name="name1", type="text"), Column(name="name2", type="text"))
    twins = [change.kind for change in between(before, after)]
    after_alike = table(
        Column(name="name_a", type="text"), Column(name="id", type="int"), Column(name="name_b", type="text")
    )
    unclear = {change.kind for change in between(before, after_alike)}
    assert ChangeKind.COLUMN_RENAMED in twins  # the one in the same place
    assert ChangeKind.COLUMN_RENAMED in unclear
    third = table(Column(name="x", type="int"), Column(name="name_a", type="text"), Column(name="name_b", type="text"))
    first = table(Column(name="name", type="text"))
    assert {change.kind for change in between(first, third)} == {ChangeKind.COLUMN_REMOVED, ChangeKind.COLUMN_ADDED}


def test_a_renamed_dataset_is_a_guess_and_its_own_changes_are_told() -> None:
    changes = between(table(), table(*replaced("total", type="text"), name="order_lines"))
    renamed, typed = sorted(changes, key=lambda change: change.kind)
    assert (renamed.kind, renamed.before, renamed.is_guess) == (ChangeKind.DATASET_RENAMED, "orders", True)
    assert (typed.kind, typed.dataset) == (ChangeKind.TYPE_CHANGED, "order_lines")


def test_keys() -> None:
    key = ForeignKey(columns=("customer_id",), referred_dataset="customers", referred_columns=("id",))
    cases = [
        (table(primary_key=("id",)), ChangeKind.PRIMARY_KEY_CHANGED, {"writers"}),
        (table(unique=frozenset({("status",)})), ChangeKind.UNIQUE_ADDED, {"writers"}),
        (table(foreign_keys=frozenset({key})), ChangeKind.FOREIGN_KEY_ADDED, {"writers"}),
    ]
    for with_key, kind, breaks in cases:
        assert one(between(table(), with_key)) == (kind, None, breaks)
        assert one(between(with_key, table()))[2] == {"readers"}
    both = between(table(primary_key=("id",)), table(primary_key=("customer_id",)))
    assert one(both)[2] == BOTH


def test_keys_over_renamed_columns_are_the_same() -> None:
    key = ForeignKey(columns=("customer_id",), referred_dataset="customers", referred_columns=("id",))
    now = ForeignKey(columns=("client_id",), referred_dataset="customers", referred_columns=("id",))
    before = table(primary_key=("customer_id",), unique=frozenset({("customer_id",)}), foreign_keys=frozenset({key}))
    after = table(
        *replaced("customer_id", name="client_id"),
        primary_key=("client_id",),
        unique=frozenset({("client_id",)}),
        foreign_keys=frozenset({now}),
    )
    assert one(between(before, after))[0] is ChangeKind.COLUMN_RENAMED


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("int", "bigint", True),
        ("bigint", "int", False),
        ("varchar(10)", "varchar(20)", True),
        ("varchar(20)", "varchar(10)", False),
        ("varchar(20)", "text", True),
        ("text", "varchar(20)", False),
        ("integer", "double precision", True),
        ("bigint", "double", False),
        ("real", "double", True),
        ("integer", "numeric(12,2)", True),
        ("integer", "numeric(11,2)", False),
        ("numeric(10,2)", "numeric(10,4)", False),
        ("numeric(10,2)", "numeric", True),
        ("numeric", "numeric(10,2)", False),
        ("date", "timestamp", True),
        ("timestamp", "date", False),
        ("integer", "text", False),
        ("int unsigned", "int", False),
    ],
)
def test_wider_types(before: str, after: str, expected: bool) -> None:
    assert is_wider(before, after) is expected


def test_names_of_types() -> None:
    assert is_same("CHARACTER VARYING(20)", "varchar(20)")
    assert not is_same("varchar(20)", "varchar(21)")
    assert is_same("STRUCT(a INT)", "struct(a int)")


@pytest.mark.parametrize("seed", range(10))
def test_changes_are_found_in_both_directions(seed: int) -> None:
    """Whatever is added one way is removed the other way."""
    source = random.Random(seed)
    names = [f"{word}_{at}" for at, word in enumerate(("alpha", "beta", "gamma", "delta", "epsilon", "zeta"))]
    types = ["int", "text", "date"]

    def some() -> Dataset:
        chosen = source.sample(names, source.randint(1, 6))
        return table(*(Column(name=name, type=source.choice(types)) for name in chosen))

    one, other = some(), some()
    forward, back = between(one, other), between(other, one)
    count = [sum(change.kind is ChangeKind.COLUMN_ADDED for change in forward)]
    count += [sum(change.kind is ChangeKind.COLUMN_REMOVED for change in back)]
    assert count[0] == count[1], f"seed {seed}"
    assert (forward == []) == (back == [])


def test_a_source_that_was_replaced_as_a_whole_is_compared_in_no_time() -> None:
    before = Snapshot(datasets=tuple(table(name=f"a{at}") for at in range(400)))
    after = Snapshot(datasets=tuple(table(name=f"b{at}") for at in range(400)))
    assert len(differences(before, after)) == 800
