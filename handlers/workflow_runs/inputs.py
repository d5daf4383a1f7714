"""What a run is given, held against what the settings of the workflow declare."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from analysis.workflow.settings import Settings
from handlers.workflow_runs.outcomes import MOST_OUTPUT

_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "text": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "list": (list,),
    "object": (dict,),
}


class InputError(ValueError):
    """The message says what is wrong with the inputs, and what would be right."""


def complete(form: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs with the defaults of those that are not given. Raises InputError."""
    declared = msgspec.convert(form.get("settings") or {}, Settings).inputs
    if unknown := sorted(set(inputs) - set(declared)):
        known = ", ".join(sorted(declared)) or "none"
        raise InputError(f"the workflow has no input {unknown[0][:80]!r}; it has {known}")
    size = len(msgspec.json.encode(inputs))
    if size > MOST_OUTPUT:
        raise InputError(f"{size} bytes as JSON; at most {MOST_OUTPUT} are taken")
    for name, one in declared.items():
        if name not in inputs:
            if one.required:
                raise InputError(f"the input {name!r} is missing")
        elif (kinds := _KINDS.get(one.type)) and not _is_one_of(inputs[name], kinds):
            raise InputError(f"the input {name!r} is of the type {one.type}")
    return {name: inputs.get(name, one.default) for name, one in declared.items()}


def _is_one_of(value: Any, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds)
