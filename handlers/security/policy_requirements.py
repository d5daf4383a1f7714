"""What a data policy says: which columns it is about, and what must hold for each of them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from analysis.access_policies.policies import RoleName
from analysis.sensitive.findings import Category
from handlers.names import RowId

Word = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]+$(?!\n)")]
Words = Annotated[tuple[Word, ...], Meta(max_length=50)]
SomeWords = Annotated[tuple[Word, ...], Meta(min_length=1, max_length=50)]


class Selection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Columns for which each of these holds that is given; of none, all that are sensitive.

    `categories` and `types` are as scans find them. `tags` are the column's, its dataset's or its source's.
    """

    categories: Annotated[tuple[Category, ...], Meta(max_length=4)] = ()
    types: Words = ()
    tags: Words = ()
    source_ids: Annotated[tuple[RowId, ...], Meta(max_length=100)] = ()


class Masked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="masked"):
    """Access policies mask or hide it here from members with these roles."""

    roles: Annotated[tuple[RoleName, ...], Meta(min_length=1, max_length=5)]


class Tagged(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="tagged"):
    """The column or its dataset has one of these tags."""

    tags: SomeWords


class Owned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="owned"):
    """An owner of its dataset is named."""


class EncryptedInTransit(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="encrypted_in_transit"
):
    """The connection that it is read over is encrypted."""


class EncryptedAtRest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="encrypted_at_rest"):
    """Where it is stored it is encrypted."""


class Retained(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="retained"):
    """No row of its dataset is older than so many days, by this column of dates."""

    date_column: Word
    days: Annotated[int, Meta(ge=1, le=36_500)]


class NotReadableBy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="not_readable_by"):
    """None of these roles of the source can read it there; `PUBLIC` is everybody."""

    roles: SomeWords


Requirement = Masked | Tagged | Owned | EncryptedInTransit | EncryptedAtRest | Retained | NotReadableBy
RequirementName = Literal[
    "masked", "tagged", "owned", "encrypted_in_transit", "encrypted_at_rest", "retained", "not_readable_by"
]


class PolicyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of `requires` must hold for each column that `about` chooses."""

    about: Selection = Selection()
    requires: Annotated[tuple[Requirement, ...], Meta(min_length=1, max_length=10)]
    description: Annotated[str, Meta(max_length=2000, pattern=r"^[^\x00]*$(?!\n)")] = ""


def name_of(requirement: Requirement) -> str:
    return str(requirement.__struct_config__.tag)
