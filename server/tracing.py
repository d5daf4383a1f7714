"""Whether traces are sent, and what is missing for it. Without the setting nothing of this costs anything."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from server.settings import Settings
from server.startup import StartError

if TYPE_CHECKING:
    from server.open_telemetry import Tracing

# Each after those whose names it begins with: looking for a part imports what it is a part of.
PACKAGES = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.exporter.otlp.proto.http")


def find_problems(settings: Settings) -> list[str]:
    """What keeps the settings from being followed."""
    if not settings.traces or is_installed():
        return []
    return [
        "tracing is on and its packages are not installed; "
        "install them (pip install 'collab-studio[tracing]') or leave tracing and otlp_endpoint off"
    ]


def is_installed() -> bool:
    """Whether the packages of the extra `tracing` are there."""
    try:
        return all(importlib.util.find_spec(name) is not None for name in PACKAGES)
    except ModuleNotFoundError:
        return False


def open_tracing(settings: Settings, node_id: str) -> Tracing | None:
    """What the settings ask for, None where they ask for nothing. The caller closes it. Raises StartError."""
    if not settings.traces:
        return None
    for problem in find_problems(settings):
        raise StartError(problem)
    from server.open_telemetry import sending  # noqa: PLC0415 - its packages are an extra

    return sending(settings.otlp_endpoint, float(settings.tracing_sample_ratio), node_id)
