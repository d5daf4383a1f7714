"""Times and tables."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import api_keys, documents, feeds, members, tables, users, versions, workspaces
from storage.tables import from_microseconds, to_microseconds


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_come_back_as_they_were(at: datetime) -> None:
    assert from_microseconds(to_microseconds(at)) == at


def test_times_count_from_1970_whatever_the_zone() -> None:
    assert to_microseconds(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert to_microseconds(datetime(1970, 1, 1, 2, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))) == 5
    assert to_microseconds(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1


def test_times_without_a_zone_are_refused() -> None:
    with pytest.raises(TypeError):
        to_microseconds(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the mistake


@pytest.mark.parametrize(
    ("row", "table"),
    [
        (users.User, tables.users),
        (workspaces.Workspace, tables.workspaces),
        (members.Member, tables.members),
        (documents.Document, tables.documents),
        (versions.Version, tables.versions),
        (api_keys.ApiKey, tables.api_keys),
        (feeds.Feed, tables.feeds),
    ],
)
def test_rows_have_the_fields_of_their_tables_in_order(row: type, table: object) -> None:
    columns = [column.name for column in table.columns if not column.name.endswith("hash")]  # type: ignore[attr-defined]
    assert [field.name for field in fields(row)] == columns
