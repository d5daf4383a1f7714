"""The profile of JSON: what stands at the top of the values, and the keys of objects."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from analysis.columns import Column
from analysis.profile.figures import DocumentFigures, DocumentKey
from analysis.profile.text_multiset import TextMultiset, most_common
from analysis.profile.told import ProfileOptions, Told, counted, exact, lengths_of, shown

_FIELDS = tuple(DocumentFigures.__struct_fields__)

# Characters; a longer value takes too long to parse for what its keys would say.
_LONGEST_PARSED = 2**20

# Objects with more different keys than that use them as data.
_MOST_KEYS = 200


class DocumentFolding:
    """Types and keys, counted for a different value once and times how often it occurs."""

    def __init__(self) -> None:
        self.types: Counter[str] = Counter()
        self.lengths: Counter[int] = Counter()
        self.keys: dict[str, Counter[str]] = {}
        self.more_keys = False

    def add(self, counts: Mapping[str, int], /) -> None:
        for value, count in counts.items():
            self.lengths[len(value)] += count
            kind, parsed = _parsed(value)
            self.types[kind] += count
            if isinstance(parsed, dict):
                for key, item in parsed.items():
                    self._count(key, Counter({_type_of(item): count}))

    def merge(self, other: DocumentFolding, /) -> None:
        self.types.update(other.types)
        self.lengths.update(other.lengths)
        self.more_keys = self.more_keys or other.more_keys
        for key, types in other.keys.items():
            self._count(key, types)

    def _count(self, key: str, types: Counter[str]) -> None:
        if key in self.keys:
            self.keys[key].update(types)
        elif len(self.keys) < _MOST_KEYS:
            self.keys[key] = Counter(types)
        else:
            self.more_keys = True


def _parsed(value: str) -> tuple[str, Any]:
    if len(value) > _LONGEST_PARSED:
        return "large", None
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return "invalid", None
    return _type_of(parsed), parsed


def _type_of(item: Any) -> str:
    match item:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


class Documents:
    """JSON values as text, added in batches."""

    def __init__(self, budget_bytes: int | None) -> None:
        self._values: TextMultiset[str, DocumentFolding] = TextMultiset(budget_bytes, DocumentFolding)

    def add(self, column: Column) -> None:
        self._values.add(column.values.tolist())

    def merge(self, other: Documents) -> None:
        self._values.merge(other._values)

    def told(self, options: ProfileOptions) -> Told:
        folded, total = self._values.folded(), self._values.count
        distinct, distinct_basis = self._values.distinct()
        top, top_basis = self._values.top(options.top)
        objects = folded.types["object"]
        by_key = most_common({key: types.total() for key, types in folded.keys.items()}, _MOST_KEYS)
        figures = DocumentFigures(
            types=dict(sorted(folded.types.items())),
            keys=[
                DocumentKey(
                    key=shown(key), count=count, share=count / objects, types=dict(sorted(folded.keys[key].items()))
                )
                for key, count in by_key
            ],
            more_keys=folded.more_keys,
            lengths=lengths_of(folded.lengths, options.quantiles),
        )
        basis = exact(_FIELDS) | {"distinct": distinct_basis, "top": top_basis}
        return Told(distinct, counted(top, total, shown), basis, figures)
