"""Sentences of insights in other words, by the language model of the settings; figures never come from it."""

from __future__ import annotations

from typing import Any

import msgspec

from handlers.analytics.answers import Analysis
from handlers.language_model import LanguageModelFailed
from handlers.parts import Parts

# What a person reads at once; the rest stays as it is.
MOST_SENTENCES = 20


async def rephrased(parts: Parts, found: Analysis[Any]) -> Analysis[Any]:
    """The answer with other words for its best sentences, and a note where there are none."""
    model = parts.outgoing.language_model
    if found.result is None or not found.result.insights:
        return found
    if model is None:
        return _noted(found, "No sentence was rephrased: the server's settings name no language model.")
    best = found.result.insights[:MOST_SENTENCES]
    sentences = {insight.id: insight.sentence for insight in best}
    names = {insight.id: insight.columns for insight in best}
    try:
        other = await model.rephrase(parts.outgoing.http, sentences, names)
    except LanguageModelFailed as error:
        return _noted(found, f"No sentence was rephrased: {error}")
    kept = len(sentences) - len(other)
    found = msgspec.structs.replace(found, rephrased=other)
    if kept:
        found = _noted(found, f"{kept} sentences stay as they are: the language model changed figures or names.")
    return found


def _noted(found: Analysis[Any], note: str) -> Analysis[Any]:
    return msgspec.structs.replace(found, notes=[*found.notes, note])
