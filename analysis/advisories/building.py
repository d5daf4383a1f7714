"""Bundles out of what others publish: files of OSV records and of CSAF 2.0. Offline: files in, one signed file out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, get_args

import msgspec

from analysis.advisories.records import Advisory, Affected, Event, Package, Product, Range, Reference, Severity

PRODUCTS: tuple[str, ...] = get_args(Product)
_COMPARED = re.compile(r"^(?P<how>>=|<=|>|<|=)?(?P<version>\d+(?:\.\d+)*)$")
_SCORES = {"cvss_v2": "CVSS_V2", "cvss_v3": "CVSS_V3", "cvss_v4": "CVSS_V4"}


class SourceError(ValueError):
    """A file cannot be taken; the message is one sentence for people."""


def read_source(name: str, content: bytes) -> list[Advisory]:
    """The advisories of a file for the products that are known here. Raises SourceError, with `name` in its message."""
    try:
        record = msgspec.json.decode(content, type=dict[str, Any])
        if "document" in record:
            return list(_of_csaf(record))
        found = _of_osv(record)
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"{name} is neither an OSV record nor a CSAF 2.0 document that can be read: {error}"
        ) from None
    return [found] if found else []


def _of_osv(record: dict[str, Any]) -> Advisory | None:
    """Ranges of commits are passed over: servers tell versions. So are products that we know nothing of."""
    name, kept = record["id"], []
    for part in record.get("affected", []):
        if part.get("package", {}).get("name") not in PRODUCTS:
            continue
        ranges = [one for one in part.get("ranges", []) if one.get("type") in ("ECOSYSTEM", "SEMVER")]
        # What others keep there is theirs; a component that we do not know would be no part of ours.
        specific = part.get("database_specific", {})
        known = {"database_specific": specific} if "component" in specific else {"database_specific": {}}
        kept.append({**part, "ranges": ranges, **known})
    if not kept:
        return None
    return msgspec.convert({"summary": name, **record, "affected": kept}, Advisory, strict=False)


def _of_csaf(document: dict[str, Any]) -> Iterator[Advisory]:
    """An advisory for each vulnerability that names a version, or a range of versions in `vers` form, as affected."""
    products = dict(_products(document.get("product_tree", {}).get("branches", []), {}))
    tracking = document["document"]["tracking"]
    for one in document.get("vulnerabilities", []):
        status = one.get("product_status", {})
        affected = list(_affected([products[id_] for id_ in status.get("known_affected", []) if id_ in products]))
        if not affected:
            continue
        vectors = [
            {"type": kind, "score": score[key]["vectorString"]}
            for score in one.get("scores", [])
            for key, kind in _SCORES.items()
            if key in score
        ]
        severity = msgspec.convert(vectors, list[Severity])
        links = [*one.get("references", []), *document["document"].get("references", [])]
        yield Advisory(
            id=one.get("cve") or tracking["id"],
            summary=one.get("title") or document["document"]["title"],
            modified=_time(tracking["current_release_date"]),
            published=_time(tracking["initial_release_date"]),
            affected=[msgspec.structs.replace(part, severity=severity) for part in affected],
            references=[Reference(type="ADVISORY", url=link["url"]) for link in links],
        )


def _products(branches: Sequence[Mapping[str, Any]], above: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """What the tree calls a product: its id, and the names of the branches that lead to it by their categories."""
    for branch in branches:
        names = {**above, branch["category"]: branch["name"]}
        if "product" in branch:
            yield branch["product"]["product_id"], names
        yield from _products(branch.get("branches", []), names)


def _affected(named: Sequence[Mapping[str, str]]) -> Iterator[Affected]:
    for product in PRODUCTS:
        ours = [names for names in named if names.get("product_name", "").lower().removesuffix(" server") == product]
        versions = [names["product_version"] for names in ours if "product_version" in names]
        events = [event for names in ours for event in _events(names.get("product_version_range", ""))]
        if versions or events:
            package: Package = msgspec.convert({"ecosystem": "upstream", "name": product}, Package)
            ranges = [Range(type="ECOSYSTEM", events=events)] if events else []
            yield Affected(package=package, ranges=ranges, versions=versions)


def _events(text: str) -> Iterator[Event]:
    """`vers:generic/>=15.0|<15.16` as events. Raises ValueError for what events cannot say."""
    if not text:
        return
    scheme, _, constraints = text.partition("/")
    if not scheme.startswith("vers:") or not constraints:
        raise ValueError(f"{text!r} is no range in vers form, such as vers:generic/>=15.0|<15.16")
    is_open = False
    for constraint in constraints.split("|"):
        match = _COMPARED.fullmatch(constraint.strip())
        how = match["how"] if match else None
        if match is None or how == ">":
            raise ValueError(f"{constraint!r} in {text!r} is nothing that a range of versions can say here")
        version = match["version"]
        if how == ">=":
            yield Event(introduced=version)
            is_open = True
        elif how in ("<", "<="):
            if not is_open:
                yield Event(introduced="0")
            yield Event(fixed=version) if how == "<" else Event(last_affected=version)
            is_open = False
        else:
            yield Event(introduced=version)
            yield Event(last_affected=version)


def _time(text: str) -> datetime:
    return msgspec.convert(text, datetime)
