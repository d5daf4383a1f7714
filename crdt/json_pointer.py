"""RFC 6902 operations on plain JSON values, at RFC 6901 pointers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from crdt.edits import EditError, PointerEdit, check_count
from crdt.json_values import canonical, storable

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")


def parse_pointer(pointer: str) -> list[str]:
    """The keys of a pointer; none for the empty pointer, which is the whole value. Raises EditError."""
    if not pointer:
        return []
    if not isinstance(pointer, str) or not pointer.startswith("/") or re.search("~(?![01])", pointer):
        raise EditError("bad_pointer", f"not a JSON pointer: {pointer!r}")
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/")]


def join_pointer(tokens: Sequence[str | int]) -> str:
    """The pointer with these keys."""
    return "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in tokens)


def apply_to_json(value: Any, edits: Sequence[PointerEdit]) -> Any:
    """The value after all the edits, in order. `value` may be changed in place. Raises EditError."""
    check_count(len(edits))
    for edit in edits:
        tokens = parse_pointer(edit.path)
        if edit.op not in ("add", "replace", "remove", "test"):
            raise EditError("bad_value", f"the operation is add, replace, remove or test, not {edit.op!r}")
        if edit.op == "test":
            _test(value, tokens, edit)
        elif tokens:
            _change(_find(value, tokens[:-1], edit.path), tokens[-1], edit)
        elif edit.op == "remove":
            raise EditError("bad_pointer", "the whole document cannot be removed")
        else:
            value = storable(edit.value)
    return value


def _find(value: Any, tokens: Sequence[str], path: str) -> Any:
    for token in tokens:
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list):
            value = value[_index(value, token, path)]
        else:
            raise EditError("not_found", f"there is nothing at {path!r}")
    return value


def _index(array: list[Any], token: str, path: str, *, past_end: bool = False) -> int:
    if past_end and token == "-":  # noqa: S105
        return len(array)
    if not _INDEX.fullmatch(token):
        raise EditError("bad_pointer", f"not an index of an array: {token!r} in {path!r}")
    index = int(token)
    if index >= len(array) + past_end:
        raise EditError("not_found", f"there is nothing at {path!r}")
    return index


def _test(value: Any, tokens: Sequence[str], edit: PointerEdit) -> None:
    if canonical(storable(_find(value, tokens, edit.path))) != canonical(storable(edit.value)):
        raise EditError("test_failed", f"the value at {edit.path!r} is another one")


def _change(container: Any, token: str, edit: PointerEdit) -> None:
    if isinstance(container, list):
        index = _index(container, token, edit.path, past_end=edit.op == "add")
        if edit.op == "add":
            container.insert(index, storable(edit.value))
        elif edit.op == "replace":
            container[index] = storable(edit.value)
        else:
            del container[index]
    elif isinstance(container, dict):
        if edit.op != "add" and token not in container:
            raise EditError("not_found", f"there is nothing at {edit.path!r}")
        if edit.op == "remove":
            del container[token]
        else:
            container[token] = storable(edit.value)
    else:
        raise EditError("not_found", f"there is nothing at {edit.path!r}")
