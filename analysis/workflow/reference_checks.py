"""Whether what a diagram names outside of itself is there, may be used, and calls nothing back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from analysis.workflow.node_checks import NodeFacts
from analysis.workflow.references import OPERATION, WORKFLOW, Reference, References
from analysis.workflow.violations import Violation, pointer, shown

# Each is a run of its own that waits for the next: as deep as runs go inside of each other.
DEEPEST_CALLS: Final = 5


def check_references(facts: Mapping[str, NodeFacts], references: References) -> Iterator[Violation]:
    calls: dict[str, str | None] = {}
    for node_id, node in facts.items():
        for path, reference in node.references:
            yield from _standing(node_id, path, reference, references)
            if reference[0] == WORKFLOW:
                yield from _calls(node_id, path, reference[1], references, calls)
        if node.unsafe_retry is None:
            yield from _operation_retry(node_id, node, references)
    yield from _schedule(references)


def unsafe_retry(node_id: str) -> Violation:
    message = "the node is tried again when it fails, and doing it twice may do it twice to others too"
    path = pointer("nodes", node_id, "policy", "retry_max")
    fix = "set `retry_max` to 0, or make sure that the other side knows the key of the request"
    return Violation("retry.not_idempotent", path, message, "warning", node_id, fix=fix)


def _standing(node_id: str, path: str, reference: Reference, references: References) -> Iterator[Violation]:
    kind, name = reference
    match references.standing(reference):
        case "missing":
            message = f"there is no {kind} {shown(name)} in this workspace"
            yield Violation("reference.missing", path, message, node=node_id, fix=f"choose another {kind}")
        case "forbidden":
            message = f"you may not use the {kind} {shown(name)}"
            fix = f"ask whoever may to give you the permission, or choose another {kind}"
            yield Violation("reference.forbidden", path, message, node=node_id, fix=fix)


def _calls(
    node_id: str, path: str, callee: str, references: References, known: dict[str, str | None]
) -> Iterator[Violation]:
    if callee not in known:
        known[callee] = _what_is_wrong(callee, references)
    if (code := known[callee]) == "workflow.recursion":
        message = f"the workflow {shown(callee)} calls this one again, itself or by others: it would never end"
        yield Violation(code, path, message, node=node_id, fix="use a loop")
    elif code == "workflow.too_deep":
        message = f"workflows call each other {DEEPEST_CALLS} deep at most, and {shown(callee)} goes deeper"
        yield Violation(code, path, message, node=node_id, fix="put some of the sub-workflows together")


def _what_is_wrong(callee: str, references: References) -> str | None:
    """Level by level: a circle that this workflow is not in goes deeper than any limit."""
    level = {callee}
    for _ in range(DEEPEST_CALLS):
        if references.workflow in level:
            return "workflow.recursion"
        level = {called for name in level for called in references.calls.get(name, ())}
        if not level:
            return None
    return "workflow.recursion" if references.workflow in level else "workflow.too_deep"


def _operation_retry(node_id: str, node: NodeFacts, references: References) -> Iterator[Violation]:
    named = [name for _, (kind, name) in node.references if kind == OPERATION]
    if any(name not in references.safe_operations for name in named):
        yield unsafe_retry(node_id)


def _schedule(references: References) -> Iterator[Violation]:
    busy, every = references.busy_seconds, references.every_seconds
    if busy is not None and every is not None and every < busy:
        message = f"a run is started every {every:g} s, and the last one took {busy:g} s"
        yield Violation("schedule.too_frequent", "/meta/settings", message, "warning", fix="start it less often")
