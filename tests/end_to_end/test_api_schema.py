"""The whole API under schemathesis: whatever is asked, what is answered is what /openapi.json says.

In the everyday run a few requests of each kind, in the same order every time; `make schema-fuzz` asks for longer, with
another seed each time and with what follows from one answer to the next request.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from filled_demo import WORKSPACE, FilledDemo
from server_process import ROOT, ServerProcess

# Over all that is asked; 0 for as little as shows that each operation answers.
FUZZ_SECONDS = int(os.environ.get("SCHEMA_FUZZ_SECONDS", "0"))
# Of the many values at the edges of what the document allows, each of which takes a millisecond or some.
EVERYDAY_SECONDS = 15
SEED = random.SystemRandom().randrange(2**32) if FUZZ_SECONDS else 20260301
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")


def ask(server: ServerProcess, token: str, receiver: str, *options: str) -> str:
    """What schemathesis says of all it asked; fails if anything was not as it should be."""
    configuration = server.folder / CONFIGURATION.name
    configuration.write_text(CONFIGURATION.read_text().replace("$RECEIVER", receiver))
    command = [str(Path(sys.executable).with_name("schemathesis")), f"--config-file={configuration}", "run"]
    command += [f"{server.url}/openapi.json", "-H", f"Authorization: Bearer {token}", f"--seed={SEED}", *options]
    support = str(ROOT / "tests" / "support")
    done = subprocess.run(
        command,
        cwd=server.folder,
        env=os.environ | {"PYTHONPATH": support, "COLUMNS": "160"},
        check=False,
        capture_output=True,
        text=True,
        timeout=max(300, 2 * FUZZ_SECONDS),
    )
    print(f"seed {SEED}")
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    return done.stdout


def runs_of_admin() -> list[list[str]]:
    """Something of each operation's, then as many odd values as the time allows; or what `make schema-fuzz` asks."""
    if FUZZ_SECONDS:
        return [["--phases=coverage,fuzzing,stateful", "--max-examples=200", f"--max-time={FUZZ_SECONDS}"]]
    return [["--phases=fuzzing", "--max-examples=1"], ["--phases=coverage", f"--max-time={EVERYDAY_SECONDS}"]]


@pytest.mark.timeout(max(400, 3 * FUZZ_SECONDS))
def test_what_is_answered_is_what_the_document_says(filled_demo: FilledDemo) -> None:
    demo, receiver, admin = filled_demo.server, filled_demo.receiver, filled_demo.admin
    viewer = demo.token("vera", "viewer", WORKSPACE)
    with httpx.Client(base_url=demo.url, headers={"Authorization": f"Bearer {admin}"}, timeout=30) as client:
        operations = sum(len(methods) for methods in client.get("/openapi.json").json()["paths"].values())
        # Whoever may do little first: an administrator also deletes what there is, and deactivates users.
        said = ask(demo, viewer, receiver, "--phases=fuzzing", "--max-examples=1")
        assert f"Tested: {operations}" in said
        for number, options in enumerate(runs_of_admin()):
            said = ask(demo, admin, receiver, *options)
            assert number or f"Tested: {operations}" in said
        # Whoever asked was heard to the end.
        assert client.get("/me").json()["is_admin"] is True
    errors = [line for line in demo.log.read_text().splitlines() if " ERROR " in line]
    assert errors == []
