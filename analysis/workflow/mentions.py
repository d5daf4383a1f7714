"""What an expression refers to: nodes, inputs and the names that have a value only in some places."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from analysis.workflow.tokens import Token, tokens

NODES: Final = "nodes"
INPUTS: Final = "inputs"
# By name: in a loop's body, and in the filter of a node that waits for an event.
LOOP_NAMES: Final = frozenset({"item", "index"})
EVENT: Final = "event"

_LOOPS: Final = frozenset(
    {"all", "exists", "exists_one", "existsOne", "map", "filter", "transformList", "transformMap", "transformMapEntry"}
)
_PLAIN_KEY: Final = re.compile(r"""^(?P<quote>["'])(?P<key>[^\\"']*)(?P=quote)$""")


class ExpressionError(ValueError):
    """An expression that can never be computed; the message says what is wrong with it and what would be right."""


@dataclass(frozen=True, slots=True)
class Mentions:
    """``names`` are those of `item`, `index` and `event` that are free in the expression."""

    nodes: frozenset[str] = frozenset()
    inputs: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()


def mentions(source: str) -> Mentions:
    """Raises ExpressionError where `nodes` or `inputs` is used in a way that does not say which one is meant."""
    found = [token for token in tokens(source) if token.kind != "blank"]
    bound = {found[at + 2].text for at in range(1, len(found) - 2) if _binds(found, at)}
    if bound & {NODES, INPUTS}:
        raise ExpressionError("`nodes` and `inputs` are taken: give the variable of the loop another name")
    nodes, inputs, names = set(), set(), set()
    for at, token in enumerate(found):
        if token.kind != "name" or (at and found[at - 1].text == "."):
            continue
        if token.text == NODES:
            nodes.add(_node(found[at + 1 : at + 4]))
        elif token.text == INPUTS:
            inputs.add(_input(found[at + 1 : at + 3]))
        elif token.text in LOOP_NAMES or token.text == EVENT:
            names.add(token.text)
    return Mentions(frozenset(nodes), frozenset(inputs), frozenset(names - bound))


def _binds(found: list[Token], at: int) -> bool:
    """Whether `found[at]` is the name of a loop, as in `list.map(x, …)`."""
    return found[at].text in _LOOPS and found[at - 1].text == "." and found[at + 1].text == "("


def _node(following: list[Token]) -> str:
    match [token.text for token in following]:
        case [".", name, *_] if following[1].kind == "name":
            return name
        case ["[", key, "]"] if following[1].kind == "text" and (plain := _PLAIN_KEY.match(key)):
            return plain["key"]
    raise ExpressionError('`nodes` is followed by the id of one node: nodes.fetch or nodes["fetch"]')


def _input(following: list[Token]) -> str:
    match [token.text for token in following]:
        case [".", name] if following[1].kind == "name":
            return name
    raise ExpressionError("`inputs` is followed by the name of one input: inputs.source")
