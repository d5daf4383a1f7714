"""What is wrong in a workflow: in the shape of its diagram, and in what it would do."""

from __future__ import annotations

from analysis.workflow.checks import check
from analysis.workflow.references import References
from analysis.workflow.violations import Violation as Fault
from crdt.diagram import Violation as ShapeFault
from handlers.document_states import in_worker
from handlers.registry import Context
from handlers.workflow.drafts import Drawn
from handlers.workflow.shapes import Violation
from handlers.workflow_access import Found
from handlers.workflow_forms import unpacked
from handlers.workflow_references import look_up

# A diagram that is wrong throughout is not made right by reading more of it.
MOST_VIOLATIONS = 500
# So many nodes are checked in a few milliseconds; more would hold the event loop.
_FEW_NODES = 50
TOO_LARGE = "diagram.too_large"


async def violations_of(context: Context, found: Found, drawn: Drawn) -> list[Violation]:
    """At most MOST_VIOLATIONS: errors before warnings, in the order of their paths."""
    faults: list[Fault | ShapeFault] = [*drawn.faults]
    # What is too large is not looked into.
    if not any(fault.code == TOO_LARGE for fault in faults):
        async with context.parts.database.read() as connection:
            form, workflow = unpacked(drawn.form), found.workflow
            references = await look_up(connection, workflow.workspace_id, workflow.id, form)
        if drawn.nodes <= _FEW_NODES:
            faults += checked(drawn.form, references)
        else:
            faults += await in_worker(context.parts, checked, drawn.form, references)
    once = {fault.id: fault for fault in faults}
    return sorted(map(_shown, once.values()), key=lambda one: (one.severity, one.path, one.code))[:MOST_VIOLATIONS]


def checked(form: bytes, references: References) -> list[Fault]:
    """What a packed normal form has wrong; a worker can do it."""
    return check(unpacked(form), references=references)


def _shown(fault: Fault | ShapeFault) -> Violation:
    return Violation(
        id=fault.id,
        code=fault.code,
        severity="warning" if fault.severity == "warning" else "error",
        path=fault.path,
        message=fault.message,
        node=fault.node,
        edge=fault.edge,
        fix=fault.fix,
    )
