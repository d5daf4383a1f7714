"""Whatever a source holds, there is an answer, and one that JSON can tell."""

import math
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from odd_frames import odd_frame

from analysis.prediction.answer import PredictionOptions
from analysis.prediction.predict import predict_column
from analysis.relationships.discover import discover
from analysis.relationships.findings import RelationshipOptions


def nothing(*_: Any) -> None:
    pass


def numbers_in(answer: object) -> Iterator[float]:
    if isinstance(answer, dict):
        for value in answer.values():
            yield from numbers_in(value)
    elif isinstance(answer, list | tuple):
        for value in answer:
            yield from numbers_in(value)
    elif isinstance(answer, float):
        yield answer


@pytest.mark.parametrize("seed", range(24))
def test_a_prediction_of_odd_columns_has_an_answer(seed: int) -> None:
    frame = odd_frame(seed, 60 if seed % 2 else None)
    options = PredictionOptions(frame.names[seed % len(frame.names)], repeats=1, predictions=5, seed=seed)
    answer = predict_column(frame, options, nothing, nothing)
    msgspec.json.encode(answer)
    assert all(map(math.isfinite, numbers_in(msgspec.to_builtins(answer)))), seed


@pytest.mark.parametrize("seed", range(40))
def test_relationships_of_odd_columns_have_an_answer(seed: int) -> None:
    frames = {"a": odd_frame(seed), "b": odd_frame(seed + 1000), "c": odd_frame(seed)}
    found = discover(frames, RelationshipOptions(seed=seed), nothing, nothing)
    msgspec.json.encode(found)
    assert all(map(math.isfinite, numbers_in(msgspec.to_builtins(found)))), seed
