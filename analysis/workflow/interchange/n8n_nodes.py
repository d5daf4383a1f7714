"""Single nodes of n8n as ours; None where one has no counterpart, or says something that cannot be said here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from analysis.workflow.interchange.n8n_expressions import Names, NoCounterpart, condition, text, value

_PREFIX: Final = "n8n-nodes-base."
_TRIGGERS: Final = frozenset({"start", "webhook", "cron", "interval"})
_SECONDS: Final = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
# From this version on the first output of a loop is what comes after it.
_DONE_FIRST: Final = 3

# How the answer is read: ours always has its status, headers and body.
_OPTIONS_THAT_DO_NOT_MATTER: Final = frozenset({"response"})
# Before this version hours were meant where nothing was said.
_SECONDS_BY_DEFAULT: Final = 1.1

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Converted:
    """`outputs` are our ports in the order of theirs."""

    type: str
    params: Json
    outputs: tuple[str, ...] = ("out",)


def is_trigger(n8n_type: str) -> bool:
    name = n8n_type.rpartition(".")[2]
    return name in _TRIGGERS or name.endswith("Trigger")


def is_loop(n8n_type: str) -> bool:
    return n8n_type == f"{_PREFIX}splitInBatches"


def item_output(version: float) -> int:
    """Which output of a loop gives the items."""
    return 1 if version >= _DONE_FIRST else 0


def gives(n8n_type: str, node: str) -> str:
    """What is there the output of a node, in CEL; ours of a request has the status and the headers too."""
    return f'nodes["{node}"]' + (".body" if n8n_type == f"{_PREFIX}httpRequest" else "")


def convert(n8n_type: str, version: float, parameters: Json, names: Names) -> Converted | None:
    if is_trigger(n8n_type):
        return Converted("start", {})
    if not n8n_type.startswith(_PREFIX):
        return None
    make = _MAKERS.get(n8n_type.removeprefix(_PREFIX))
    try:
        return None if make is None else make(parameters, version, names)
    except (NoCounterpart, msgspec.ValidationError):
        return None


class _Header(msgspec.Struct, frozen=True):
    name: str
    value: str


def _http(parameters: Json, _: float, names: Names) -> Converted:
    if _object(parameters.get("options")).keys() - _OPTIONS_THAT_DO_NOT_MATTER:
        raise NoCounterpart
    if parameters.get("authentication", "none") != "none" or parameters.get("sendQuery"):
        raise NoCounterpart
    params: Json = {"url": text(parameters.get("url"), names), "method": parameters.get("method", "GET")}
    if parameters.get("sendHeaders"):
        listed = msgspec.convert(_object(parameters.get("headerParameters")).get("parameters"), list[_Header])
        params["headers"] = {header.name: text(header.value, names) for header in listed}
    if parameters.get("sendBody"):
        if parameters.get("specifyBody") != "json":
            raise NoCounterpart
        params["body"] = text(parameters.get("jsonBody"), names)
    return Converted("http_request", params)


def _if(parameters: Json, _: float, names: Names) -> Converted:
    return Converted("condition", {"expression": condition(parameters.get("conditions"), names)}, ("true", "false"))


class _Assignment(msgspec.Struct, frozen=True):
    name: str
    value: str | float | bool | None = None


def _set(parameters: Json, _: float, names: Names) -> Converted:
    if parameters.get("includeOtherFields"):
        raise NoCounterpart
    listed = msgspec.convert(_object(parameters.get("assignments")).get("assignments"), list[_Assignment])
    fields = ", ".join(f"{value(entry.name, names)}: {value(entry.value, names)}" for entry in listed)
    return Converted("transform", {"expression": f"{{{fields}}}"})


def _wait(parameters: Json, version: float, _: Names) -> Converted:
    amount = parameters.get("amount", 1)
    unit = parameters.get("unit", "seconds" if version >= _SECONDS_BY_DEFAULT else "hours")
    if parameters.get("resume", "timeInterval") != "timeInterval" or unit not in _SECONDS:
        raise NoCounterpart
    return Converted("delay", {"seconds": msgspec.convert(amount, float, strict=False) * _SECONDS[unit]})


def _loop(_: Json, version: float, names: Names) -> Converted:
    ports = ("done", "item") if item_output(version) else ("item", "done")
    return Converted("loop", {"items": names.input()}, ports)


def _join(_: Json, __: float, ___: Names) -> Converted:
    return Converted("join", {"mode": "all"})


def _pass(_: Json, __: float, ___: Names) -> Converted:
    return Converted("join", {"mode": "any"})


_MAKERS: Final[Mapping[str, Callable[[Json, float, Names], Converted]]] = {
    "httpRequest": _http,
    "if": _if,
    "set": _set,
    "wait": _wait,
    "splitInBatches": _loop,
    "merge": _join,
    "noOp": _pass,
}


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
