"""Bundles out of OSV records and CSAF documents."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from analysis.advisories import bundles, signing
from analysis.advisories.__main__ import main
from analysis.advisories.building import SourceError, read_source
from analysis.advisories.matching import assess, is_affected
from analysis.advisories.versions import of

VECTOR = "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"
OSV: dict[str, Any] = {
    "schema_version": "1.6.2",
    "id": "OSV-1",
    "summary": "From OSV",
    "modified": "2026-08-30T12:10:47.659Z",
    "affected": [
        {
            "package": {"ecosystem": "Elsewhere", "name": "postgresql", "purl": "pkg:x/postgresql"},
            "severity": [{"type": "CVSS_V3", "score": VECTOR}],
            "ranges": [
                {"type": "GIT", "repo": "https://example.org/x.git", "events": [{"introduced": "0"}]},
                {"type": "SEMVER", "events": [{"introduced": "15.0.0"}, {"fixed": "15.20.0"}]},
            ],
            "database_specific": {"source": "somebody's own"},
        },
        {"package": {"ecosystem": "npm", "name": "left-pad"}, "ranges": []},
    ],
    "references": [{"type": "WEB", "url": "https://example.org/OSV-1"}],
}
CSAF: dict[str, Any] = {
    "document": {
        "title": "From CSAF",
        "tracking": {
            "id": "VENDOR-2",
            "current_release_date": "2026-09-01T00:00:00Z",
            "initial_release_date": "2026-08-31T00:00:00Z",
        },
        "references": [{"summary": "itself", "url": "https://example.org/VENDOR-2"}],
    },
    "product_tree": {
        "branches": [
            {
                "category": "vendor",
                "name": "MariaDB",
                "branches": [
                    {
                        "category": "product_name",
                        "name": "MariaDB Server",
                        "branches": [
                            {
                                "category": "product_version_range",
                                "name": "vers:generic/>=10.11.0|<10.11.20|=11.4.9",
                                "product": {"product_id": "P1", "name": "MariaDB Server before 10.11.20"},
                            },
                            {
                                "category": "product_version",
                                "name": "10.6.28",
                                "product": {"product_id": "P2", "name": "MariaDB Server 10.6.28"},
                            },
                        ],
                    }
                ],
            }
        ]
    },
    "vulnerabilities": [
        {
            "cve": "CVE-2026-1",
            "title": "A fault",
            "product_status": {"known_affected": ["P1", "P2"]},
            "scores": [{"products": ["P1"], "cvss_v3": {"version": "3.1", "vectorString": VECTOR}}],
        }
    ],
}


def test_an_osv_record_is_taken_without_what_is_not_ours() -> None:
    [one] = read_source("osv.json", json.dumps(OSV).encode())

    assert [part.package.name for part in one.affected] == ["postgresql"]
    assert is_affected(of("15.19"), one.affected[0])
    assert not is_affected(of("15.20"), one.affected[0])


def test_a_record_about_other_products_brings_nothing() -> None:
    assert read_source("osv.json", json.dumps({**OSV, "affected": OSV["affected"][1:]}).encode()) == []


def test_a_csaf_document_brings_ranges_versions_and_vectors() -> None:
    [one] = read_source("csaf.json", json.dumps(CSAF).encode())

    [part] = one.affected
    assert (one.id, part.package.name, part.severity[0].score) == ("CVE-2026-1", "mariadb", VECTOR)
    told = {
        text: is_affected(of(text), part)
        for text in ("10.6.28", "10.6.27", "10.11.19", "10.11.20", "11.4.9", "11.4.10")
    }
    assert told == {
        "10.6.28": True,
        "10.6.27": False,
        "10.11.19": True,
        "10.11.20": False,
        "11.4.9": True,
        "11.4.10": False,
    }


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"{}",
        json.dumps({**OSV, "references": []}).encode(),
        json.dumps(CSAF).replace("vers:generic/>=10.11.0|<10.11.20|=11.4.9", "before 10.11.20").encode(),
        json.dumps(CSAF).replace(">=10.11.0", ">10.11.0").encode(),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_name_of_its_file(content: bytes) -> None:
    with pytest.raises(SourceError, match=r"there\.json is neither"):
        read_source("there.json", content)


def test_a_closed_site_builds_its_own_bundle(capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> None:
    assert main(["keygen"]) == 0
    made = capfdbinary.readouterr()
    public = signing.read_key(made.err.split()[-1].decode())
    (tmp_path / "key").write_bytes(made.out)
    (tmp_path / "osv.json").write_text(json.dumps(OSV))

    arguments = ["--key", str(tmp_path / "key"), "--version", "9", "--dated", "2026-09-02", str(tmp_path / "osv.json")]
    assert main(["build", *arguments]) == 0

    read = bundles.read(capfdbinary.readouterr().out, [public])
    assert len(read.bundle.advisories) == len(bundles.shipped().bundle.advisories) + 1
    found = assess("postgresql", "15.19", 0, set(), read.bundle, date(2026, 9, 3))
    assert [match.advisory.id for match in found.matches] == ["OSV-1"]
