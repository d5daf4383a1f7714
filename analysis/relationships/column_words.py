"""What the names of two columns say about whether one refers to the other."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from analysis.relationships.findings import ColumnName, Evidence

_WORDS = re.compile(r"[^\W\d_]+|\d+")
_HUMPS = re.compile(r"(?<=[a-zß-ÿ])(?=[A-ZÀ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])")

# Last words of names of keys; alone, they name a key of anything.
_KEY_WORDS = frozenset(
    {"id", "key", "code", "no", "nr", "num", "number", "uuid", "guid", "pk", "fk", "sk", "ref", "oid"}
)
# Rows that rows of the same dataset refer to.
_ROLES = frozenset({"parent", "manager", "supervisor", "superior", "previous", "next", "root", "original", "reply"})
_FILE_ENDINGS = frozenset({"csv", "tsv", "parquet", "json", "jsonl", "ndjson", "xlsx", "xls", "gz"})
_GENERIC = _KEY_WORDS | {"name", "type", "status", "value", "label", "title", "description", "index", "rank"}


def names_evidence(child: ColumnName, parent: ColumnName, datasets: Collection[str]) -> Evidence | None:
    """For: the child is named after the parent's dataset or column. Against: it is named after another dataset."""
    child_words, key_words = words(child.column), words(parent.column)
    subject = tuple(word for word in child_words if word not in _KEY_WORDS)
    own_subject = tuple(word for word in key_words if word not in _KEY_WORDS)
    table = words(parent.dataset)
    if child.dataset != parent.dataset and subject and _ends_with(table, subject):
        return Evidence(f"{child.column!r} is named after {parent.dataset!r}", 4.0)
    if child_words == key_words and subject and not set(child_words) <= _GENERIC:
        return Evidence(f"both are named {parent.column!r}", 3.0)
    if child.dataset != parent.dataset and table and table[-1] in child_words:
        return Evidence(f"{child.column!r} has the name of {parent.dataset!r} in it", 3.0)
    if own_subject and not set(own_subject) <= _GENERIC and _ends_with(subject, own_subject):
        return Evidence(f"{child.column!r} has the name of {parent.column!r} in it", 3.0)
    named = next((other for other in datasets if other != parent.dataset and _names(subject, other)), None)
    if named is not None and named != child.dataset:
        return Evidence(f"{child.column!r} is named after {named!r}", -3.0)
    if child.dataset == parent.dataset and subject and set(child_words) & set(key_words) & _KEY_WORDS:
        return Evidence(
            f"{child.column!r} is named as a key of the same dataset", 4.0 if _ROLES & set(subject) else 2.0
        )
    return None


def is_named_as_key(column: str) -> bool:
    found = words(column)
    return bool(found) and found[-1] in _KEY_WORDS


@lru_cache(maxsize=65_536)
def words(name: str) -> tuple[str, ...]:
    """The words of a name in lower case and in the singular; of a path or a qualified name without file endings."""
    found = [word.lower() for word in _WORDS.findall(_HUMPS.sub(" ", name))]
    while len(found) > 1 and found[-1] in _FILE_ENDINGS:
        found.pop()
    split = [part for word in found for part in _without_key_word(word)]
    return tuple(_singular(word) for word in split)


def _without_key_word(word: str) -> tuple[str, ...]:
    """`customerid` is two words; `paid` is one."""
    stem = word[:-2]
    return (stem, "id") if word.endswith("id") and len(stem) >= 4 and stem[-1] not in "aou" else (word,)


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3 else word


def _ends_with(whole: tuple[str, ...], tail: tuple[str, ...]) -> bool:
    return len(whole) >= len(tail) and whole[len(whole) - len(tail) :] == tail


def _names(subject: tuple[str, ...], dataset: str) -> bool:
    return bool(subject) and _ends_with(words(dataset), subject)
