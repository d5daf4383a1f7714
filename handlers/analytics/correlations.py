"""How the columns of a dataset go together."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from analysis.associations.results import AssociationMatrix, Correction, Method
from handlers.analytics.answers import Analysis
from handlers.analytics.asking import answer
from handlers.analytics.events import watched
from handlers.analytics.grounds import ground_of, require_columns
from handlers.analytics.questions import ColumnName, Level, Question
from handlers.analytics.tasks import AnalysisKind
from handlers.registry import Conflict, Context, Forbidden, Operation, Permission


class GetCorrelations(Question, frozen=True, kw_only=True):
    """Every two columns, by a measure that fits them (`method=auto`) or by one that is asked for.

    `level` is that of the intervals; `correction` how p becomes q for the number of pairs. `time` names the column that
    orders rows for the guard against common trends. `at_source` says whether sums are made where the data lie, for
    `method=pearson`: by itself the server leaves that to servers whose dataset it would only sample.
    """

    method: Method = Method.AUTO
    level: Level = 0.95
    correction: Correction = Correction.BH
    time: ColumnName | None = None
    max_pairs: Annotated[int, Meta(ge=1, le=20_000, description="How many pairs are computed and listed.")] = 2_000
    max_levels: Annotated[int, Meta(ge=2, le=500, description="Levels of a category that are told apart.")] = 50
    include_identifiers: bool = False
    at_source: Literal["auto", "always", "never"] = "auto"


async def get_correlations(context: Context, request: GetCorrelations) -> Analysis[AssociationMatrix]:
    ground = await ground_of(context, request.dataset_id, request.columns)
    if request.time is not None:
        require_columns("time", [request.time], ground.columns, ground.dataset)
    return await answer(context, AnalysisKind.CORRELATIONS, request, ground)


OPERATIONS = (
    Operation(
        "analytics.correlations",
        GetCorrelations,
        Analysis[AssociationMatrix],
        get_correlations,
        "GET /analytics/correlations/{dataset_id}",
        Permission.SIGNED_IN,
        "Measure how the columns of a dataset go together.",
        errors=(Conflict, Forbidden),
        watched=watched(GetCorrelations),
        stops_with_caller=True,
    ),
)
