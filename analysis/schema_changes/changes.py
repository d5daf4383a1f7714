"""The difference of two snapshots: what changed, for whom it breaks something, and a sentence for people.

Readers are queries and reports that use what was there; they break where something is gone or means something else.
Writers insert rows as they used to; they break where these are refused now.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from analysis.schema_changes.renames import Match, renamed_columns, renamed_datasets
from analysis.schema_changes.snapshots import Column, Dataset, ForeignKey, Snapshot
from analysis.schema_changes.types import is_same, is_wider


class ChangeKind(enum.StrEnum):
    """What happened to a dataset, a column or a key."""

    DATASET_ADDED = "dataset_added"
    DATASET_REMOVED = "dataset_removed"
    DATASET_RENAMED = "dataset_renamed"
    DATASET_KIND_CHANGED = "dataset_kind_changed"
    COLUMN_ADDED = "column_added"
    COLUMN_REMOVED = "column_removed"
    COLUMN_RENAMED = "column_renamed"
    COLUMNS_REORDERED = "columns_reordered"
    TYPE_CHANGED = "type_changed"
    NULLABLE_CHANGED = "nullable_changed"
    DEFAULT_CHANGED = "default_changed"
    PRIMARY_KEY_CHANGED = "primary_key_changed"
    UNIQUE_ADDED = "unique_added"
    UNIQUE_REMOVED = "unique_removed"
    FOREIGN_KEY_ADDED = "foreign_key_added"
    FOREIGN_KEY_REMOVED = "foreign_key_removed"


class Side(enum.StrEnum):
    """Who breaks."""

    READERS = "readers"
    WRITERS = "writers"


NOBODY: frozenset[Side] = frozenset()
READERS = frozenset({Side.READERS})
WRITERS = frozenset({Side.WRITERS})
BOTH = READERS | WRITERS


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `dataset` is its name now, or its last. A guess has a `similarity` from 0 to 1, others None."""

    kind: ChangeKind
    dataset: str
    sentence: str
    breaks: frozenset[Side] = NOBODY
    column: str | None = None
    before: str | None = None
    after: str | None = None
    similarity: float | None = None

    @property
    def is_breaking(self) -> bool:
        return bool(self.breaks)

    @property
    def is_guess(self) -> bool:
        return self.similarity is not None


def differences(before: Snapshot, after: Snapshot) -> list[Change]:
    """All that is different, by dataset; nothing for equal snapshots. A rename is a guess and says so."""
    old = {dataset.name: dataset for dataset in before.datasets}
    new = {dataset.name: dataset for dataset in after.datasets}
    removed = [dataset for name, dataset in old.items() if name not in new]
    added = [dataset for name, dataset in new.items() if name not in old]
    renames = renamed_datasets(removed, added)
    names = {match.before: match.after for match in renames}
    changes = [*_gone_and_come(removed, added, renames)]
    for name, dataset in old.items():
        if (now := new.get(names.get(name, name))) is not None:
            changes += _of_dataset(dataset, now, names)
    return sorted(changes, key=lambda change: change.dataset)


def _gone_and_come(removed: Iterable[Dataset], added: Iterable[Dataset], renames: Iterable[Match]) -> Iterator[Change]:
    known = {each.before for each in renames}, {each.after for each in renames}
    for each in renames:
        yield Change(
            ChangeKind.DATASET_RENAMED,
            each.after,
            f"{each.before} seems to be called {each.after} now: {each.why}.",
            BOTH,
            before=each.before,
            after=each.after,
            similarity=each.similarity,
        )
    for dataset in removed:
        if dataset.name not in known[0]:
            yield Change(ChangeKind.DATASET_REMOVED, dataset.name, f"The {dataset.kind} {dataset.name} is gone.", BOTH)
    for dataset in added:
        if dataset.name not in known[1]:
            count = len(dataset.columns)
            what = f"The {dataset.kind} {dataset.name} is new, with {count} column{'' if count == 1 else 's'}."
            yield Change(ChangeKind.DATASET_ADDED, dataset.name, what)


def _of_dataset(before: Dataset, after: Dataset, names: Mapping[str, str]) -> Iterator[Change]:
    if before.kind != after.kind:
        yield Change(
            ChangeKind.DATASET_KIND_CHANGED,
            after.name,
            f"{after.name} was a {before.kind} and is a {after.kind} now.",
            WRITERS,
            before=before.kind,
            after=after.kind,
        )
    old = {column.name: column for column in before.columns}
    new = {column.name: column for column in after.columns}
    renames = renamed_columns(before, after)
    columns = {match.before: match.after for match in renames}
    yield from _columns(after.name, old, new, renames)
    for name, column in old.items():
        if (now := new.get(columns.get(name, name))) is not None:
            yield from _of_column(after.name, column, now)
    yield from _order(before, after, columns)
    yield from _keys(before, after, columns, names)


def _columns(
    dataset: str, old: Mapping[str, Column], new: Mapping[str, Column], renames: Iterable[Match]
) -> Iterator[Change]:
    renames = list(renames)
    known = {each.before for each in renames} | {each.after for each in renames}
    for each in renames:
        yield Change(
            ChangeKind.COLUMN_RENAMED,
            dataset,
            f"{dataset}: the column {each.before} seems to be called {each.after} now: {each.why}.",
            BOTH,
            each.after,
            each.before,
            each.after,
            each.similarity,
        )
    for name, column in old.items():
        if name not in new and name not in known:
            what = f"{dataset}: the column {name} ({column.type}) is gone."
            yield Change(ChangeKind.COLUMN_REMOVED, dataset, what, BOTH, name, before=column.type)
    for name, column in new.items():
        if name not in old and name not in known:
            yield _added(dataset, column)


def _added(dataset: str, column: Column) -> Change:
    must = not column.nullable and column.default is None
    what = f"{dataset}: the column {column.name} ({column.type}) is new"
    what += "; rows must give it a value, as it has no default." if must else "."
    breaks = WRITERS if must else NOBODY
    return Change(ChangeKind.COLUMN_ADDED, dataset, what, breaks, column.name, after=column.type)


def _of_column(dataset: str, before: Column, after: Column) -> Iterator[Change]:
    where = f"{dataset}.{after.name}"
    if not is_same(before.type, after.type):
        is_safe = is_wider(before.type, after.type)
        how = "every value fits" if is_safe else "values may not fit, or mean something else"
        yield Change(
            ChangeKind.TYPE_CHANGED,
            dataset,
            f"{where} was {before.type} and is {after.type} now: {how}.",
            NOBODY if is_safe else BOTH,
            after.name,
            before.type,
            after.type,
        )
    if before.nullable != after.nullable:
        yield Change(
            ChangeKind.NULLABLE_CHANGED,
            dataset,
            f"{where} may be empty now." if after.nullable else f"{where} must have a value now.",
            READERS if after.nullable else WRITERS,
            after.name,
            "nullable" if before.nullable else "not null",
            "nullable" if after.nullable else "not null",
        )
    if before.default != after.default:
        yield _default(dataset, where, before, after)


def _default(dataset: str, where: str, before: Column, after: Column) -> Change:
    if after.default is None:
        what = f"{where} has no default any more; it was {before.default}."
    elif before.default is None:
        what = f"{where} has the default {after.default} now."
    else:
        what = f"{where} has the default {after.default} instead of {before.default}."
    breaks = WRITERS if after.default is None and not after.nullable else NOBODY
    return Change(ChangeKind.DEFAULT_CHANGED, dataset, what, breaks, after.name, before.default, after.default)


def _order(before: Dataset, after: Dataset, columns: Mapping[str, str]) -> Iterator[Change]:
    kept = {columns.get(column.name, column.name) for column in before.columns} & {each.name for each in after.columns}
    old = [name for column in before.columns if (name := columns.get(column.name, column.name)) in kept]
    new = [column.name for column in after.columns if column.name in kept]
    if old != new:
        what = f"{after.name}: its columns stand in another order, which matters to whoever reads them by position."
        yield Change(ChangeKind.COLUMNS_REORDERED, after.name, what, before=", ".join(old), after=", ".join(new))


def _keys(before: Dataset, after: Dataset, columns: Mapping[str, str], names: Mapping[str, str]) -> Iterator[Change]:
    """Keys over columns that were only renamed are the same keys."""

    def now(key: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(columns.get(name, name) for name in key)

    primary = now(before.primary_key)
    if primary != after.primary_key:
        yield _primary_key(after.name, primary, after.primary_key)
    unique = {now(key) for key in before.unique}
    for key in sorted(after.unique - unique):
        what = f"{after.name}: ({_listed(key)}) must be unique now."
        yield Change(ChangeKind.UNIQUE_ADDED, after.name, what, WRITERS, after=_listed(key))
    for key in sorted(unique - after.unique):
        what = f"{after.name}: ({_listed(key)}) need not be unique any more."
        yield Change(ChangeKind.UNIQUE_REMOVED, after.name, what, READERS, before=_listed(key))
    foreign = {
        _renamed_key(key, now(key.columns), names.get(key.referred_dataset, key.referred_dataset))
        for key in before.foreign_keys
    }
    for foreign_key in sorted(after.foreign_keys - foreign, key=_shown):
        what = f"{after.name}: {_shown(foreign_key)} is a foreign key now."
        yield Change(ChangeKind.FOREIGN_KEY_ADDED, after.name, what, WRITERS, after=_shown(foreign_key))
    for foreign_key in sorted(foreign - after.foreign_keys, key=_shown):
        what = f"{after.name}: {_shown(foreign_key)} is no foreign key any more; rows may refer to nothing."
        yield Change(ChangeKind.FOREIGN_KEY_REMOVED, after.name, what, READERS, before=_shown(foreign_key))


def _primary_key(dataset: str, before: tuple[str, ...], after: tuple[str, ...]) -> Change:
    if not before:
        what, breaks = f"{dataset} has the primary key ({_listed(after)}) now.", WRITERS
    elif not after:
        what, breaks = f"{dataset} has no primary key any more; it was ({_listed(before)}).", READERS
    else:
        what, breaks = f"{dataset} has the primary key ({_listed(after)}) instead of ({_listed(before)}).", BOTH
    return Change(ChangeKind.PRIMARY_KEY_CHANGED, dataset, what, breaks, before=_listed(before), after=_listed(after))


def _renamed_key(key: ForeignKey, columns: tuple[str, ...], referred: str) -> ForeignKey:
    """The key under the names of today."""
    return ForeignKey(columns=columns, referred_dataset=referred, referred_columns=key.referred_columns)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def _shown(key: ForeignKey) -> str:
    return f"({_listed(key.columns)}) to {key.referred_dataset} ({_listed(key.referred_columns)})"


def summary(changes: Iterable[Change]) -> str:
    """All of it in one sentence."""
    changes = list(changes)
    if not changes:
        return "Nothing has changed."
    breaking = sum(change.is_breaking for change in changes)
    guesses = sum(change.is_guess for change in changes)
    count = len(changes)
    said = f"{count} change{'' if count == 1 else 's'}, {breaking} of them breaking"
    return f"{said}; {guesses} of them are guesses about renames." if guesses else f"{said}."
