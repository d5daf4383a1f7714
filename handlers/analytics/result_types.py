"""What each kind of analysis comes to, as a type that stored answers are read as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.associations.results import AssociationMatrix
from analysis.relationships.findings import Relationships
from handlers.analytics.tasks import AnalysisKind

RESULTS: Mapping[AnalysisKind, Any] = {
    AnalysisKind.CORRELATIONS: AssociationMatrix,
    AnalysisKind.RELATIONSHIPS: Relationships,
}
