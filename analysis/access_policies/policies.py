"""What an access policy says: which columns and rows of which datasets are kept from whom."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from analysis.rules.rule_types import LONGEST_EXPRESSION

_WORD = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[^\x00]+$(?!\n)")]
Words = Annotated[tuple[_WORD, ...], Meta(max_length=100)]
RoleName = Literal["viewer", "commenter", "editor", "admin", "owner"]


class Effect(StrEnum):
    """`mask` shows the shape of values in their place, `hide` nothing of what is in a column."""

    MASK = "mask"
    HIDE = "hide"


class People(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Members of a workspace: all of them, those of some roles, and some by their ids."""

    everyone: bool = False
    roles: Annotated[tuple[RoleName, ...], Meta(max_length=5)] = ()
    users: Words = ()


class ColumnChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Columns that any of these holds for.

    `names` are glob patterns, upper and lower case alike. A column has its own `tags` and `sensitivities`, those of its
    dataset, and the tags of its source. `classifications` are types or categories, as scans find them.
    """

    names: Words = ()
    tags: Words = ()
    classifications: Words = ()
    sensitivities: Annotated[
        tuple[Literal["public", "internal", "confidential", "restricted"], ...], Meta(max_length=4)
    ] = ()


class RowsOfUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="of_user"):
    """Rows in which the column, as text, equals what the user is: their id, or their role in the workspace."""

    column: _WORD
    attribute: Literal["id", "role"] = "id"


class RowsWhere(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="where"):
    """Rows for which a CEL expression over `row` and `user` is true, as in `row.region == "north"`.

    `user` has `id` and `role`.
    """

    expression: Annotated[str, Meta(min_length=1, max_length=LONGEST_EXPRESSION)]


RowCondition = RowsOfUser | RowsWhere


class Rights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept back, and from whom: from `applies_to`, but for `except_for`.

    The `columns` are masked or hidden, as `effect` says; only `rows` that the condition holds for are shown.
    """

    applies_to: People
    except_for: People = People()
    columns: ColumnChoice | None = None
    effect: Effect = Effect.MASK
    rows: RowCondition | None = None
    description: Annotated[str, Meta(max_length=2000, pattern=r"^[^\x00]*$(?!\n)")] = ""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A policy with its place: `dataset` is a glob pattern of whole names, None for every dataset."""

    id: int
    name: str
    dataset: str | None
    rights: Rights
