"""What is wrong in a workflow's diagram, and how places in it are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["error", "warning"]

# Longer ids are refused by the diagram's shape; messages stay readable where one is there all the same.
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Violation:
    """Something wrong in a diagram. ``path`` is a JSON pointer (RFC 6901) into it. Errors keep it from publication."""

    code: str
    path: str
    message: str
    severity: Severity = "error"
    node: str | None = None
    edge: str | None = None
    fix: str | None = None

    @property
    def id(self) -> str:
        """Stays the same from one check to the next as long as the fault does."""
        return f"{self.code}@{self.path}"


def in_order(violations: Iterable[Violation]) -> list[Violation]:
    """By place, each fault once."""
    once: dict[str, Violation] = {}
    for violation in violations:
        once.setdefault(violation.id, violation)
    return sorted(once.values(), key=lambda violation: (violation.path, violation.code))


def pointer(*tokens: str) -> str:
    """The JSON pointer with these keys."""
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in tokens)


def shown(name: str) -> str:
    """A name in quotes, cut where it is long."""
    return repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…")
