"""The command `collab-studio advisories`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from analysis.advisories import bundles, signing
from server.cli import main
from tests.analysis.advisories.making import advisory, affected, bundle, event

SECRET, PUBLIC = signing.new_key()


def run(*arguments: str) -> int:
    return main(["advisories", *arguments], {})


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    made = bundle(
        advisory("CVE-1", affected(event("15"), event(fixed="15.19"))),
        version=bundles.shipped().bundle.version + 1,
        dated=datetime.now(UTC).date(),
    )
    file = tmp_path / "newer.json"
    file.write_bytes(signing.sign(msgspec.json.encode(made), signing.read_key(SECRET)))
    return file


def test_a_file_is_looked_at_imported_and_counts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, newer: Path
) -> None:
    here = ("--data", str(tmp_path / "data"), "--advisory-keys", PUBLIC)
    assert run("show", *here) == 0
    assert "came with this release" in capsys.readouterr().out

    assert run("verify", str(newer), *here) == 0
    assert "(0 days old)" in capsys.readouterr().out
    assert run("import", str(newer), *here) == 0
    assert "1 for postgresql" in capsys.readouterr().out

    assert run("show", *here) == 0
    shown = capsys.readouterr().out
    assert f"key      {signing.key_id(signing.read_key(PUBLIC))}" in shown
    assert "origin   imported" in shown


def test_what_is_refused_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path, newer: Path) -> None:
    assert run("import", str(newer), "--data", str(tmp_path / "data")) == 1
    error = capsys.readouterr().err
    assert "not trusted here" in error
    assert error.count("\n") == 1
