"""What each kind of analysis comes to, as a type that stored answers are read as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from analysis.associations.results import AssociationMatrix
from analysis.forecast.answers import Forecasts
from analysis.insights.findings import Insights
from analysis.prediction.answer import ColumnPrediction
from analysis.relationships.findings import Relationships
from handlers.analytics.tasks import AnalysisKind


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """A forecast, where a column of time was named; else what a column is by the others."""

    forecast: Forecasts | None = None
    column: ColumnPrediction | None = None


RESULTS: Mapping[AnalysisKind, Any] = {
    AnalysisKind.CORRELATIONS: AssociationMatrix,
    AnalysisKind.RELATIONSHIPS: Relationships,
    AnalysisKind.INSIGHTS: Insights,
    AnalysisKind.PREDICTIONS: Prediction,
}
