"""What is exported, held against the schemas that others publish (schemas/README.md says where they are from)."""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]

SCHEMAS = Path(__file__).parent / "schemas"


def faults_of_sarif(document: Any) -> list[str]:
    """Where a document is no SARIF 2.1.0, and why."""
    return [_shown(error) for error in _sarif().iter_errors(document)]


def faults_of_ocsf(event: Any) -> list[str]:
    """Where an event is none of its class in OCSF 1.3.0, and why; unknown attributes and values are faults."""
    return [_shown(error) for error in _ocsf()[str(event["class_uid"])].iter_errors(event)]


def _shown(error: Any) -> str:
    return f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"


@functools.cache
def _sarif() -> Any:
    return jsonschema.Draft7Validator(_read("sarif-2.1.0"))


@functools.cache
def _ocsf() -> dict[str, Any]:
    return {number: jsonschema.Draft202012Validator(schema) for number, schema in _read("ocsf-1.3.0").items()}


def _read(name: str) -> Any:
    return json.loads(gzip.decompress((SCHEMAS / f"{name}.json.gz").read_bytes()))
