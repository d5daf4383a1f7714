"""The settings of a workflow: what a run is given, and how runs go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from analysis.workflow.expressions import InputType
from analysis.workflow.violations import Violation, pointer

MOST_INPUTS = 100

InputName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,59}$")]


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is given under a name; `default` where it is not given and not `required`."""

    type: InputType = "any"
    required: bool = False
    default: Any = None
    title: Annotated[str, Meta(max_length=300)] = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    inputs: Annotated[dict[InputName, Input], Meta(max_length=MOST_INPUTS)] = msgspec.field(default_factory=dict)
    timeout_seconds: Annotated[float, Meta(gt=0, le=366 * 86_400)] | None = None
    concurrency: Annotated[int, Meta(ge=1, le=100)] | None = None


def input_types(settings: Any) -> dict[str, InputType]:
    """The types of the inputs that are declared rightly."""
    declared = settings.get("inputs") if isinstance(settings, dict) else None
    types: dict[str, InputType] = {}
    for name, value in declared.items() if isinstance(declared, dict) else ():
        try:
            types[msgspec.convert(name, InputName)] = msgspec.convert(value, Input).type
        except msgspec.ValidationError:
            continue
    return types


def check_settings(settings: Any) -> Iterator[Violation]:
    try:
        msgspec.convert(settings, Settings)
    except msgspec.ValidationError as error:
        message = f"the settings of the workflow are not right: {error}"
        yield Violation("settings.invalid", pointer("meta", "settings"), message)
