"""What an audit is asked: of which sources, and which checks."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from connectors.security.check import Category, Check
from handlers.names import RowId
from handlers.registry import InvalidRequest

CheckId = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$(?!\n)", description="A check's id.")
]
Tag = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
MOST_SOURCES = 100


class AuditJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give either `source_ids` or a `tag` that sources have. Without `checks` and `categories` all checks are made."""

    source_ids: Annotated[tuple[RowId, ...], Meta(min_length=1, max_length=MOST_SOURCES)] | None = None
    tag: Tag | None = None
    checks: Annotated[tuple[CheckId, ...], Meta(min_length=1, max_length=500)] | None = None
    categories: Annotated[tuple[Category, ...], Meta(min_length=1, max_length=len(Category))] | None = None

    @property
    def is_of_all(self) -> bool:
        """Whether it leaves out no check."""
        return self.checks is None and self.categories is None

    def chooses(self, check: Check) -> bool:
        """Whether the check is one of those that are asked for."""
        of_category = self.categories is None or check.category in self.categories
        return of_category and (self.checks is None or check.id in self.checks)


def check_sources(asked: AuditJob) -> None:
    """Raises InvalidRequest for what names no sources, or in two ways."""
    if (asked.source_ids is None) == (asked.tag is None):
        raise InvalidRequest("Give either `source_ids` or `tag`.", details={"parameter": "source_ids"})
